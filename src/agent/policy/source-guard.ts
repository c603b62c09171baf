import { Address, families } from '../../model/index.js';
import type { RuleSink } from './ports.js';
import { ANY_MAC, LINKS, ON_LINK, senderSet } from './rule-names.js';

interface Member {
  readonly interfaceName: string;
  /** Lower case; empty when not known. */
  readonly mac: string;
  readonly addresses: readonly Address[];
}

type Visit = (set: string, element: string) => void;

/**
 * Who each interface may say it is: with its own MAC, and with all addresses of its sandbox, because a
 * container with two networks may answer through either (architecture §3, "Two networks on one
 * container"). Looked up in sets, so that strict and loose reverse-path filters make no difference.
 * An endpoint whose MAC is not known, another program's, is held to its addresses alone.
 */
export class SourceGuard {
  readonly #sink: RuleSink;
  readonly #sandboxes = new Map<string, Map<string, Member>>();
  readonly #sandboxOf = new Map<string, string>();
  /** Two endpoints of one interface or address give the same element. */
  readonly #users = new Map<string, number>();

  constructor(sink: RuleSink) {
    this.#sink = sink;
  }

  add(id: string, local: Member & { readonly sandboxKey: string }): void {
    const key = local.sandboxKey === '' ? `endpoint ${id}` : `sandbox ${local.sandboxKey}`;
    const sandbox = this.#sandboxes.get(key) ?? new Map<string, Member>();
    eachElement(local, sandbox.values(), (set, element) => {
      const count = this.#users.get(`${set} ${element}`) ?? 0;
      this.#users.set(`${set} ${element}`, count + 1);
      if (count === 0) this.#sink.addElement(set, element);
    });
    sandbox.set(id, local);
    this.#sandboxes.set(key, sandbox);
    this.#sandboxOf.set(id, key);
  }

  remove(id: string): void {
    const key = this.#sandboxOf.get(id) ?? '';
    const sandbox = this.#sandboxes.get(key);
    const local = sandbox?.get(id);
    if (sandbox === undefined || local === undefined) return;
    this.#sandboxOf.delete(id);
    sandbox.delete(id);
    if (sandbox.size === 0) this.#sandboxes.delete(key);
    eachElement(local, sandbox.values(), (set, element) => {
      const count = (this.#users.get(`${set} ${element}`) ?? 1) - 1;
      if (count > 0) this.#users.set(`${set} ${element}`, count);
      else {
        this.#users.delete(`${set} ${element}`);
        this.#sink.removeElement(set, element);
      }
    });
  }
}

/** What an endpoint beside these others of its sandbox adds. */
function eachElement(local: Member, others: Iterable<Member>, visit: Visit): void {
  visitLink(local, visit);
  for (const address of local.addresses) visitAddress(local, address, visit);
  for (const other of others) {
    for (const address of other.addresses) visitAddress(local, address, visit);
    for (const address of local.addresses) visitAddress(other, address, visit);
  }
}

function visitLink({ interfaceName, mac }: Member, visit: Visit): void {
  if (mac === '') return visit(ANY_MAC, `"${interfaceName}"`);
  visit(LINKS, `"${interfaceName}" . ${mac}`);
  const own = linkLocal(mac);
  if (own !== undefined) visit(senderSet(6, true), `"${interfaceName}" . ${mac} . ${own}`);
}

/** The address of the link that kernels form from a MAC (RFC 4291, appendix A). */
function linkLocal(mac: string): Address | undefined {
  const [first = 0, second = 0, third = 0, ...rest] = mac
    .split(':')
    .map((text) => parseInt(text, 16));
  if (rest.length !== 3 || rest.some(Number.isNaN)) return undefined;
  const zeros = [0, 0, 0, 0, 0, 0];
  return Address.fromBytes(
    Uint8Array.from([0xfe, 0x80, ...zeros, first ^ 2, second, third, 0xff, 0xfe, ...rest]),
  );
}

function visitAddress({ interfaceName, mac }: Member, address: Address, visit: Visit): void {
  const known = mac !== '';
  const sender = [`"${interfaceName}"`, ...(known ? [mac] : []), String(address)].join(' . ');
  visit(senderSet(address.family, known), sender);
  if (address.family === 4) visit(senderSet('arp', known), sender);
}

/** Declares the sets, which never go. */
export function putSourceSets(sink: RuleSink): void {
  sink.putSet(LINKS, { kind: 'set', type: 'ifname . ether_addr' });
  sink.putSet(ANY_MAC, { kind: 'set', type: 'ifname' });
  sink.putSet(ON_LINK, { kind: 'set', type: 'ifname', dynamic: true });
  for (const known of [true, false]) {
    const first = known ? 'ifname . ether_addr' : 'ifname';
    for (const family of families) {
      const type = `${first} . ipv${family}_addr`;
      sink.putSet(senderSet(family, known), { kind: 'set', type });
    }
    sink.putSet(senderSet('arp', known), {
      ...{ kind: 'set', type: `${first} . ipv4_addr`, family: 'arp' },
    });
  }
}
