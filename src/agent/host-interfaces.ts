import type { Address } from '../model/index.js';
import type { KernelEvent, Netlink } from '../netlink/index.js';
import { isWorkloadInterface } from './local-programmer.js';
import type { HostInterface } from './policy/index.js';

/** The interfaces of this host with their addresses, those of containers left out. */
export async function listHostInterfaces(netlink: Netlink): Promise<readonly HostInterface[]> {
  const [links, addresses] = await Promise.all([netlink.links(), netlink.addresses()]);
  const byIndex = new Map<number, Address[]>();
  for (const { index, address } of addresses) {
    byIndex.set(index, [...(byIndex.get(index) ?? []), address]);
  }
  return links
    .filter(({ name }) => !isWorkloadInterface(name))
    .map(({ index, name }) => ({ name, addresses: byIndex.get(index) ?? [] }));
}

/** Whether the list may be another one now. Pairs of containers come and go all the time. */
export function concernsInterfaces(event: KernelEvent): boolean {
  switch (event.type) {
    case 'link':
      return !isWorkloadInterface(event.link.name) && !event.link.name.startsWith('temp');
    case 'address':
    case 'overrun':
      return true;
    case 'route':
      return false;
  }
}
