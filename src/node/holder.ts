/** Value of the hold key: who uses a node name now. */
export interface Holder {
  readonly node: string;
  /** Host UUID out of the state folder. */
  readonly uuid: string;
  /** The kernel's boot id. */
  readonly bootId: string;
  /** New with each process. */
  readonly instance: string;
  readonly hostName: string;
  readonly address?: string;
  /** RFC 3339: when the process began to claim. */
  readonly since: string;
}

export function encodeHolder(holder: Holder): string {
  return JSON.stringify(holder);
}

/** Undefined for a value that is none of ours; it counts as a stranger. */
export function decodeHolder(text: string): Holder | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { node, uuid, bootId, instance, hostName, address, since } = value as Record<
    string,
    unknown
  >;
  if (typeof node !== 'string' || typeof uuid !== 'string' || typeof bootId !== 'string')
    return undefined;
  if (typeof instance !== 'string' || typeof hostName !== 'string' || typeof since !== 'string')
    return undefined;
  return {
    node,
    uuid,
    bootId,
    instance,
    hostName,
    since,
    ...(typeof address === 'string' ? { address } : {}),
  };
}

/** For messages: `host web1 (192.0.2.10, machine 6f0c…, since …)`. */
export function describeHolder(holder: Holder | undefined): string {
  if (holder === undefined) return 'an unknown program';
  const address = holder.address === undefined ? '' : `${holder.address}, `;
  return `host ${holder.hostName} (${address}machine ${holder.uuid}, since ${holder.since})`;
}

/** What to do about a name that is taken. */
export type HolderVerdict = 'take-over' | 'wait' | 'contested';

export interface HolderEvidence {
  /** This process has had the name already. */
  readonly everHeld: boolean;
  /** The other has stood there unchanged for longer than a lease lives without its holder. */
  readonly outlivedLease: boolean;
}

/**
 * Our own earlier process (same machine, same boot) is replaced at once: its lease may outlive it. Our own
 * machine before its last boot is waited for, since a copied disk has the same UUID and only a live copy
 * keeps its lease. Once we had the name, a newer process of this machine is no earlier life but a rival.
 */
export function judgeHolder(
  self: Holder,
  other: Holder | undefined,
  evidence: HolderEvidence,
): HolderVerdict {
  if (other === undefined || other.uuid !== self.uuid) return 'contested';
  if (other.instance === self.instance) return 'take-over';
  if (other.bootId === self.bootId) return evidence.everHeld ? 'contested' : 'take-over';
  return evidence.outlivedLease ? 'contested' : 'wait';
}
