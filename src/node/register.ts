import { Fault, isFault, messageOf } from '../base/index.js';
import {
  commitOrConflict,
  hostRecordKey,
  resourceKey,
  resourcePrefix,
  retryOnConflict,
  type CallOptions,
  type Store,
} from '../datastore/index.js';
import type { Node } from '../model/index.js';
import { builtInTiers, decodeNode } from '../model/v3/index.js';
import type { NodeWarning } from './choose-address.js';
import { decodeHostRecord, encodeHostRecord, type HostRecord } from './host-record.js';
import { clusterInformationKey, planCluster, planHostRecord, planPools } from './plan-cluster.js';
import { planNode } from './plan-node.js';
import {
  callOptions,
  nodeKeyOf,
  plannedText,
  type Plan,
  type PlanInput,
  type ReadState,
} from './plan.js';
import { parseNodeSettings } from './settings.js';

/** Hosts of a whole site may start together; each conflict means that one of them was served. */
const ATTEMPTS = 16;

/** `settings` are raw texts, `view` is what the kernel said; `newUid` is for tests. */
export type RegisterOptions = Omit<PlanInput, 'parsed' | 'sources'>;

export interface Registration {
  readonly node: Node;
  /** Revision of the Node's key. */
  readonly nodeRevision: bigint;
  /** 32 hex digits. */
  readonly clusterGuid: string;
  /** False while somebody holds the datastore locked (`calicoctl datastore migrate lock`): do not allocate. */
  readonly datastoreReady: boolean;
  /** Keys that this call wrote; empty when everything stood already. */
  readonly written: readonly string[];
  readonly warnings: readonly NodeWarning[];
}

/**
 * Makes this host part of the cluster: ClusterInformation and tiers when missing, the own Node, the host
 * record, default pools. Call it while the hold on the node name is held, and again whenever addresses of
 * the host change: nothing is written unless something differs. Two reads at once, then at most one commit.
 *
 * Faults: those of the store; `invalid` for a setting, naming its variable; `corrupt` for a Node that cannot
 * be understood. `calicoVersion` is never written: with a foreign value the real calicoctl refuses to work.
 */
export async function registerNode(options: RegisterOptions): Promise<Registration> {
  const parsed = parseNodeSettings(options.settings);
  const sources = await parsed.findSources(options.signal);
  return retryOnConflict(ATTEMPTS, () => attempt({ ...options, parsed, sources }));
}

async function attempt(input: PlanInput): Promise<Registration> {
  const state = await readState(input);
  const plan: Plan = { writes: new Map(), warnings: [] };
  const cluster = planCluster(input, state, plan);
  await planNode(input, state, plan);
  planHostRecord(input, state, plan);
  await planPools(input, state, plan);
  const revision = await write(input, state, plan);
  const nodeKey = nodeKeyOf(input);
  return {
    node: decodeNode(plannedText(nodeKey, state, plan), nodeKey),
    nodeRevision: plan.writes.has(nodeKey)
      ? revision
      : (state.entries.get(nodeKey)?.revision ?? 0n),
    clusterGuid: cluster.clusterGuid ?? '',
    datastoreReady: cluster.datastoreReady === true,
    written: [...plan.writes.keys()],
    warnings: plan.warnings,
  };
}

async function readState(input: PlanInput): Promise<ReadState> {
  const keys = [
    clusterInformationKey,
    ...builtInTiers.map((tier) => resourceKey('tiers', tier.name)),
    nodeKeyOf(input),
    hostRecordKey(input.nodeName),
  ];
  const [entries, pools] = await Promise.all([
    input.store.getMany(keys, callOptions(input)),
    input.store.list(resourcePrefix('ippools'), callOptions(input)),
  ]);
  return { entries, pools: pools.entries };
}

async function write(input: PlanInput, { entries }: ReadState, plan: Plan): Promise<bigint> {
  if (plan.writes.size === 0) return 0n;
  const writes = [...plan.writes].map(([key, value]) => ({ key, value }));
  const compares = writes.map(({ key }) => ({ key, revision: entries.get(key)?.revision ?? 0n }));
  try {
    const transaction = { compares, writes };
    return await commitOrConflict(input.store, transaction, 'the registration', callOptions(input));
  } catch (error) {
    // Whether it happened is what the next try reads; it writes only what is still missing.
    if (!isFault(error, 'outcome-unknown')) throw error;
    throw new Fault('conflict', messageOf(error), { reason: 'outcome-unknown', cause: error });
  }
}

/**
 * Keeps the Docker engine with the host record, once dockerd has answered; does nothing when it stands there.
 * Throws `refused` when another machine has registered under the node name meanwhile.
 */
export async function recordEngine(
  store: Store,
  nodeName: string,
  hostUuid: string,
  engine: NonNullable<HostRecord['engine']>,
  options: CallOptions = {},
): Promise<void> {
  const key = hostRecordKey(nodeName);
  await retryOnConflict(ATTEMPTS, async () => {
    const entry = await store.get(key, options);
    const record = entry === undefined ? undefined : decodeHostRecord(entry.value);
    if (entry === undefined || record?.uuid !== hostUuid) {
      const found = record === undefined ? 'no record' : `machine ${record.uuid}`;
      const message = `node ${nodeName} is not registered by this machine, ${found} found; register it first`;
      throw new Fault('refused', message, { reason: 'other-host' });
    }
    const value = encodeHostRecord({ ...record, engine });
    if (value === entry.value) return;
    const compares = [{ key, revision: entry.revision }];
    await commitOrConflict(
      store,
      { compares, writes: [{ key, value }] },
      `host record ${nodeName}`,
      options,
    );
  });
}
