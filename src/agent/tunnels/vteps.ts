import { Address, Cidr, tunnels, vxlanMac, type Node, type TunnelKind } from '../../model/index.js';

export type VxlanKind = Extract<TunnelKind, 'vxlan4' | 'vxlan6'>;

/** The other end of a VXLAN tunnel. */
export interface Vtep {
  /** Its tunnel address. */
  readonly address: Address;
  readonly mac: string;
  /** The host's address: where outer packets go. */
  readonly host: Address;
}

/** A Node's end of the tunnel; undefined while it has no address of the family, or no tunnel address. */
export function vtepOf(node: Node, kind: VxlanKind): Vtep | undefined {
  const { family, member } = tunnels[kind];
  const tunnel = node[member];
  const address = tunnel === undefined ? undefined : Address.tryParse(tunnel);
  const text = family === 4 ? node.ipv4Address : node.ipv6Address;
  const host =
    text === undefined
      ? undefined
      : (Cidr.tryParseInterface(text)?.address ?? Address.tryParse(text));
  if (address?.family !== family || host?.family !== family) return undefined;
  return { address, host, mac: vxlanMacOf(node, kind) };
}

/** The MAC that a Node's device has: published, or derived. */
export function vxlanMacOf(node: Node, kind: VxlanKind): string {
  const { family } = tunnels[kind];
  const published = family === 4 ? node.vxlanTunnelMac : node.vxlanTunnelMacV6;
  const mac = published?.toLowerCase().replaceAll('-', ':');
  return mac !== undefined && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)
    ? mac
    : vxlanMac(node.name, family);
}

export interface VtepConflict {
  /** The host that is left out. */
  readonly node: string;
  /** The host that has the same. */
  readonly with: string;
  readonly what: string;
}

/**
 * The ends of one kind of tunnel. Of two hosts with one tunnel address or MAC the first by name counts on every
 * host, and the other is told (node-agent §3.4): entries must not flap.
 */
export class Vteps {
  readonly #byNode = new Map<string, Vtep>();
  readonly #users = new Map<string, Set<string>>();
  #changed = new Set<string>();

  set(node: string, vtep: Vtep | undefined): void {
    const before = this.#byNode.get(node);
    if (sameVtep(before, vtep)) return;
    for (const key of keysOf(before)) {
      const users = this.#users.get(key);
      users?.delete(node);
      if (users?.size === 0) this.#users.delete(key);
      for (const other of users ?? []) this.#changed.add(other);
    }
    if (vtep === undefined) this.#byNode.delete(node);
    else this.#byNode.set(node, vtep);
    for (const key of keysOf(vtep)) {
      const users = this.#users.get(key) ?? new Set();
      for (const other of users) this.#changed.add(other);
      this.#users.set(key, users.add(node));
    }
    this.#changed.add(node);
  }

  /** The host's end, when it counts. */
  get(node: string): Vtep | undefined {
    return this.#rivalOf(node) === undefined ? this.#byNode.get(node) : undefined;
  }

  nodes(): readonly string[] {
    return [...this.#byNode.keys()];
  }

  /** Hosts whose end may have changed since the last call. */
  takeChanged(): readonly string[] {
    const changed = [...this.#changed];
    this.#changed = new Set();
    return changed;
  }

  conflicts(): readonly VtepConflict[] {
    return this.nodes().flatMap((node) => {
      const rival = this.#rivalOf(node);
      return rival === undefined ? [] : [{ node, with: rival.node, what: rival.what }];
    });
  }

  #rivalOf(node: string): { readonly node: string; readonly what: string } | undefined {
    for (const key of keysOf(this.#byNode.get(node))) {
      for (const other of this.#users.get(key) ?? []) {
        if (other < node) return { node: other, what: key };
      }
    }
    return undefined;
  }
}

function keysOf(vtep: Vtep | undefined): readonly string[] {
  return vtep === undefined ? [] : [`tunnel address ${vtep.address}`, `MAC ${vtep.mac}`];
}

export function sameVtep(left: Vtep | undefined, right: Vtep | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return (
    left.mac === right.mac && left.address.equals(right.address) && left.host.equals(right.host)
  );
}
