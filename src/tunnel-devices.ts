import { tunnelKinds, tunnels, type Address, type TunnelKind } from './model/index.js';
import type { Netlink } from './netlink/index.js';

/** The address that each tunnel device of this host has; link-local ones are the kernel's own. */
export async function tunnelDevices(netlink: Netlink): Promise<ReadonlyMap<TunnelKind, Address>> {
  const [links, addresses] = await Promise.all([netlink.links(), netlink.addresses()]);
  const found = new Map<TunnelKind, Address>();
  for (const kind of tunnelKinds) {
    const { device, family } = tunnels[kind];
    const index = links.find(({ name }) => name === device)?.index;
    const own = addresses.find(
      ({ index: at, address, prefix }) =>
        at === index && address.family === family && prefix === (family === 4 ? 32 : 128),
    );
    if (own !== undefined) found.set(kind, own.address);
  }
  return found;
}
