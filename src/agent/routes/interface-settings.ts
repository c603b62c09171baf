import { Fault } from '../../base/index.js';
import type { ProcSys } from './proc-sys.js';

/**
 * Settings of a `cali*` host end (Calico's, node-agent §1.2, with these differences). rp_filter is
 * off: our table checks sources exactly, and on an interface without an address the kernel takes the
 * loose filter for the strict one, which leaves even ARP unanswered for what a container with two
 * networks rightly sends through either. proxy_ndp is not needed, the IPv6 gateway is the
 * interface's own link-local address; that one must be usable at once, hence no duplicate address
 * detection. Redirects and router advertisements from a container are nobody's business here.
 */
const IPV4: Readonly<Record<string, string>> = {
  proxy_arp: '1',
  forwarding: '1',
  route_localnet: '1',
  rp_filter: '0',
  accept_redirects: '0',
};
const IPV6: Readonly<Record<string, string>> = {
  accept_ra: '0',
  accept_redirects: '0',
  accept_dad: '0',
  dad_transmits: '0',
};
const IPV6_ROUTED: Readonly<Record<string, string>> = {
  disable_ipv6: '0',
  addr_gen_mode: '0',
  forwarding: '1',
};

/**
 * Applies them; the number of settings that had to be written. `routesIpv6`: the endpoint has an
 * IPv6 address. `unavailable` when the interface is not there.
 */
export function ensureInterfaceSettings(sys: ProcSys, name: string, routesIpv6: boolean): number {
  if (sys.read(`ipv4/conf/${name}/forwarding`) === undefined) {
    throw new Fault(
      'unavailable',
      `interface ${name} does not exist: the endpoint must be created again`,
      {
        reason: 'interface-gone',
      },
    );
  }
  let written = 0;
  const apply = (family: string, settings: Readonly<Record<string, string>>): void => {
    for (const [setting, value] of Object.entries(settings)) {
      if (sys.set(`${family}/conf/${name}/${setting}`, value)) written += 1;
    }
  };
  apply('ipv4', IPV4);
  // Proxied answers would wait up to 0.8 s; some container kernels refuse the setting.
  try {
    if (sys.set(`ipv4/neigh/${name}/proxy_delay`, '0')) written += 1;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  apply('ipv6', IPV6);
  if (routesIpv6) apply('ipv6', IPV6_ROUTED);
  return written;
}
