import type { FelixConfiguration, IpPool } from '../model/index.js';
import type { Encapsulation, HostSettings } from './policy/index.js';

/** VXLAN's port, unless it is configured. */
const VXLAN_PORT = 4789;

/** What policy takes from the FelixConfigurations; the operator's own word goes before theirs. */
export function hostSettingsOf(felix: FelixConfiguration, own: HostSettings): HostSettings {
  const {
    failsafeInboundHostPorts: inbound,
    failsafeOutboundHostPorts: outbound,
    defaultEndpointToHostAction: action,
  } = felix;
  return {
    ...(inbound === undefined ? {} : { failsafeInbound: inbound }),
    ...(outbound === undefined ? {} : { failsafeOutbound: outbound }),
    ...(action === undefined ? {} : { endpointToHost: action }),
    ...own,
  };
}

/** Which packets between hosts carry others, by the pools in use. */
export function encapsulationOf(pools: Iterable<IpPool>, felix: FelixConfiguration): Encapsulation {
  const used = [...pools].filter(({ disabled }) => !disabled);
  const vxlan = used.some(({ vxlanMode }) => vxlanMode !== 'Never');
  return {
    ipip: used.some(({ ipipMode }) => ipipMode !== 'Never'),
    ...(vxlan ? { vxlanPort: felix.vxlanPort ?? VXLAN_PORT } : {}),
  };
}
