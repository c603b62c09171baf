import { Cidr, tunnelKinds, tunnels } from '../model/index.js';
import type { KernelEvent } from '../netlink/index.js';

const NOT_HOSTS = new RegExp(
  `^(?:lo$|cali|temp|veth|docker|br-|${tunnelKinds.map((kind) => tunnels[kind].device.replaceAll('.', '\\.')).join('$|')}$)`,
);

const LINK_LOCAL = Cidr.parse('fe80::/10');

/** Whether an event may mean that the host's own addresses are others now. */
export function concernsHost(event: KernelEvent): boolean {
  switch (event.type) {
    case 'address':
      // Whose interface it is the event does not say. Interfaces of endpoints only ever get link-local ones.
      return !LINK_LOCAL.contains(event.address.address);
    case 'link':
      return !NOT_HOSTS.test(event.link.name);
    case 'route':
      return false;
    case 'overrun':
      return true;
  }
}
