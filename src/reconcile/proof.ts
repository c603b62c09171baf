import type { Address } from '../model/index.js';

/** Why something is not freed (yet); the same word in logs, metrics and `status`. */
export type NotYet =
  /** `reclaim: off`. */
  | 'reclaim-off'
  /** Another handle form: tunnel, gateway, another program's. */
  | 'not-ours'
  /** Taken by another machine, or by an unknown one under our name. */
  | 'other-host'
  /** Kept for its container by its user. */
  | 'kept'
  /** We do not hold the node name. */
  | 'not-held'
  | 'docker-unreachable'
  /** Not the engine that the host record names. */
  | 'other-engine'
  | 'first-minute'
  | 'too-young'
  /** Docker has the endpoint or the address in one of its lists. */
  | 'live-endpoint'
  /** Docker has the network. */
  | 'live-network'
  | 'interface-exists'
  /** The container's network namespace is still there. */
  | 'namespace-exists'
  | 'seen-once';

export const notYetReasons: readonly NotYet[] = [
  'reclaim-off',
  'not-ours',
  'other-host',
  'kept',
  'not-held',
  'docker-unreachable',
  'other-engine',
  'first-minute',
  'too-young',
  'live-endpoint',
  'live-network',
  'interface-exists',
  'namespace-exists',
  'seen-once',
];

/** Something in the store that may be left over: an address, an endpoint, both together, or a network. */
export interface Candidate {
  /** Stable name: the address, the endpoint's id, or the network's. */
  readonly id: string;
  /** IPAM handle of the address; absent for an endpoint that has none any more. */
  readonly handle?: string;
  readonly node: string;
  /** Host UUID out of the address's attribute or the endpoint's annotation. */
  readonly hostUuid?: string;
  /** Revision that any use of it changes: the handle's (CreateEndpoint puts it again), else the endpoint's. */
  readonly revision: bigint;
  readonly addresses: readonly Address[];
  readonly endpointId?: string;
  readonly interfaceName?: string;
  /** Docker's NetworkID, of a network. */
  readonly networkId?: string;
  /** Docker's PoolID, of a network's gateway and auxiliary addresses. */
  readonly poolId?: string;
  /** Milliseconds since the epoch; undefined when nobody wrote it down. */
  readonly claimedAt?: number;
  readonly kept: boolean;
}

/** One look at Docker, as far as proofs need it; undefined while Docker cannot be asked. */
export interface DockerEvidence {
  readonly engineId: string;
  readonly networkIds: ReadonlySet<string>;
  readonly endpointIds: ReadonlySet<string>;
  /** Canonical texts. */
  readonly addresses: ReadonlySet<string>;
}

/** What the kernel has now. */
export interface KernelEvidence {
  readonly interfaceNames: ReadonlySet<string>;
  /** Addresses with a route of ours to an interface, canonical texts. */
  readonly routedAddresses: ReadonlySet<string>;
  /** Endpoints whose container's namespace still exists. */
  readonly liveNamespaces: ReadonlySet<string>;
}

/** A first look that found the same candidate unused. */
export interface Sighting {
  readonly revision: bigint;
  /** Monotonic milliseconds. */
  readonly at: number;
}

export interface Evidence {
  readonly reclaim: 'on' | 'off';
  readonly node: string;
  readonly hostUuid: string;
  readonly holdsNodeName: boolean;
  readonly docker: DockerEvidence | undefined;
  /** Engine of the host record; undefined until one was recorded, and then nothing is freed. */
  readonly recordedEngineId: string | undefined;
  readonly kernel: KernelEvidence;
  /** Monotonic milliseconds: the time of this look, and when the daemon started. */
  readonly at: number;
  readonly startedAt: number;
  /** Milliseconds since the epoch, to compare with `claimedAt`. */
  readonly now: number;
  /** `reclaim.minimumAge` in milliseconds. */
  readonly minimumAge: number;
}

export type Verdict =
  | { readonly free: true }
  | { readonly free: false; readonly reason: NotYet; readonly message: string };

const FIRST_MINUTE = 60_000;

/** `docker.<node>.<128 random bits>`: the handles of endpoints that are freed without being asked for. */
export function isOwnHandle(handle: string, node: string): boolean {
  const prefix = `docker.${node}.`;
  return handle.startsWith(prefix) && /^[0-9a-f]{32}$/.test(handle.slice(prefix.length));
}

/**
 * May this be freed (architecture §3, "What may be freed")? Every clause that fails has its own reason; the
 * last one is that the proof needs a second look `minimumAge` after a first that found the same revision.
 * The release itself still compares the revision: of it and a CreateEndpoint one fails.
 */
export function judge(
  candidate: Candidate,
  evidence: Evidence,
  earlier: Sighting | undefined,
): Verdict {
  return (
    ownership(candidate, evidence) ??
    askable(evidence) ??
    inUse(candidate, evidence) ??
    seenTwice(candidate, evidence, earlier) ?? { free: true }
  );
}

const no = (reason: NotYet, message: string): Verdict => ({ free: false, reason, message });

function ownership(candidate: Candidate, evidence: Evidence): Verdict | undefined {
  const { id, handle, node, hostUuid, poolId } = candidate;
  if (evidence.reclaim === 'off')
    return no('reclaim-off', `${id}: nothing is freed while reclaim is off`);
  const isPools = poolId !== undefined && handle === `docker-pool.${poolId}`;
  if (handle !== undefined && !isPools && !isOwnHandle(handle, evidence.node)) {
    return no(
      'not-ours',
      `${id}: its handle ${handle} is not one of endpoints of node ${evidence.node}`,
    );
  }
  if (node !== evidence.node || hostUuid !== evidence.hostUuid) {
    return no('other-host', `${id}: taken by node ${node}, machine ${hostUuid ?? 'unknown'}`);
  }
  if (candidate.kept) return no('kept', `${id}: kept for its container`);
  return undefined;
}

function askable(evidence: Evidence): Verdict | undefined {
  const { docker, recordedEngineId, at, startedAt } = evidence;
  if (!evidence.holdsNodeName)
    return no('not-held', `node name ${evidence.node} is not held by this host`);
  if (docker === undefined) return no('docker-unreachable', 'Docker cannot be asked who is alive');
  if (docker.engineId !== recordedEngineId) {
    const recorded = recordedEngineId ?? 'none';
    return no('other-engine', `engine ${docker.engineId} answers, recorded is ${recorded}`);
  }
  if (at - startedAt < FIRST_MINUTE) return no('first-minute', 'the daemon has just started');
  return undefined;
}

/** A sign of life, of Docker as far as it was asked, or of the kernel; undefined when there is none. */
export function inUse(candidate: Candidate, evidence: Evidence): Verdict | undefined {
  const { id, endpointId, interfaceName, claimedAt } = candidate;
  const { docker, kernel, now, minimumAge } = evidence;
  const texts = candidate.addresses.map(String);
  // A claim from the future tells of a clock that was set back: the two looks have to do.
  const age = claimedAt === undefined ? minimumAge : now - claimedAt;
  if (age >= 0 && age < minimumAge)
    return no('too-young', `${id}: taken ${Math.round(age / 1000)} s ago`);
  const { networkId } = candidate;
  if (networkId !== undefined && docker?.networkIds.has(networkId) === true)
    return no('live-network', `${id}: Docker lists the network`);
  const known = endpointId !== undefined && docker?.endpointIds.has(endpointId) === true;
  const address = texts.find((text) => docker?.addresses.has(text) === true);
  if (known || address !== undefined) {
    return no(
      'live-endpoint',
      `${id}: Docker lists ${known ? `endpoint ${endpointId}` : `address ${address}`}`,
    );
  }
  const routed = texts.find((text) => kernel.routedAddresses.has(text));
  const hasInterface = interfaceName !== undefined && kernel.interfaceNames.has(interfaceName);
  if (hasInterface || routed !== undefined) {
    const what = hasInterface ? `interface ${interfaceName}` : `a route to ${routed}`;
    return no('interface-exists', `${id}: ${what} exists`);
  }
  if (endpointId !== undefined && kernel.liveNamespaces.has(endpointId)) {
    return no('namespace-exists', `${id}: the network namespace of endpoint ${endpointId} exists`);
  }
  return undefined;
}

function seenTwice(
  candidate: Candidate,
  evidence: Evidence,
  earlier: Sighting | undefined,
): Verdict | undefined {
  const { at, minimumAge } = evidence;
  if (earlier?.revision === candidate.revision && at - earlier.at >= minimumAge) return undefined;
  const wait =
    earlier?.revision === candidate.revision ? minimumAge - (at - earlier.at) : minimumAge;
  return no(
    'seen-once',
    `${candidate.id}: unused; a second look in ${Math.ceil(wait / 1000)} s decides`,
  );
}
