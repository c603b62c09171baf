import type { FelixConfiguration } from '../model/index.js';
import type { HostSettings } from './policy/index.js';

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
