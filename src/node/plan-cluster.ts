import { randomUUID } from 'node:crypto';
import { messageOf, toFault, type Log } from '../base/index.js';
import { hostRecordKey, resourceKey, type Entry } from '../datastore/index.js';
import type { Family } from '../model/index.js';
import {
  completeClusterInformation,
  decodeClusterInformation,
  decodeIpPool,
  decodeNode,
  encodeIpPool,
  initialObjects,
  newClusterGuid,
  type ClusterInformation,
} from '../model/v3/index.js';
import { addressOf } from './choose-address.js';
import { defaultPool, type PoolSettings } from './default-pools.js';
import { decodeHostRecord, encodeHostRecord } from './host-record.js';
import {
  newIdentity,
  nodeKeyOf,
  plannedText,
  readOtherNodes,
  type Plan,
  type PlanInput,
  type ReadState,
} from './plan.js';

export const clusterInformationKey = resourceKey('clusterinformations', 'default');

/** Plans ClusterInformation and the built-in tiers; what exists is only completed. */
export function planCluster(input: PlanInput, state: ReadState, plan: Plan): ClusterInformation {
  const newUid = input.newUid ?? randomUUID;
  for (const { plural, name, value } of initialObjects(newUid, new Date(input.clock.now()))) {
    const key = resourceKey(plural, name);
    const present = state.entries.get(key);
    if (present === undefined) {
      plan.writes.set(key, value);
    } else if (key === clusterInformationKey) {
      const completed = completeClusterInformation(present.value, newClusterGuid(newUid));
      if (completed !== undefined) plan.writes.set(key, completed);
    }
  }
  const text = plannedText(clusterInformationKey, state, plan);
  const cluster = decodeClusterInformation(text, clusterInformationKey);
  if (cluster.datastoreReady !== true) {
    const message =
      `the datastore ${input.store.description} is locked (datastoreReady is false); ` +
      'no address is given out until calicoctl datastore migrate unlock';
    plan.warnings.push({ reason: 'datastore-locked', message });
  }
  return cluster;
}

/** Plans the record of the machine that uses the node name. */
export function planHostRecord(input: PlanInput, { entries }: ReadState, plan: Plan): void {
  const { hostUuid, nodeName, version } = input;
  const key = hostRecordKey(nodeName);
  const text = entries.get(key)?.value;
  const previous = text === undefined ? undefined : decodeHostRecord(text);
  if (previous !== undefined && previous.uuid !== '' && previous.uuid !== hostUuid) {
    const message =
      `node name ${nodeName} was last used by machine ${previous.uuid}, this is ${hostUuid}; addresses ` +
      'that the other left are not freed from here: calicoctl ipam release --ip=ADDRESS frees one';
    plan.warnings.push({ reason: 'host-replaced', message });
  }
  const own = previous?.uuid === hostUuid ? previous : newcomer(input, text);
  const record = encodeHostRecord({ ...own, uuid: hostUuid, version });
  if (record !== text) plan.writes.set(key, record);
}

/** Nobody waits for a host that fails on its way into the cluster, unless somebody remembers the name. */
function newcomer(
  { newcomerEpoch }: PlanInput,
  text: string | undefined,
): { readonly epoch?: string } {
  return text === undefined && newcomerEpoch !== undefined ? { epoch: newcomerEpoch } : {};
}

/**
 * Plans default pools: IPv4 always; IPv6 only when this Node has an IPv6 address or a CIDR is set. (Calico
 * makes one wherever the kernel knows IPv6, also on hosts where nothing would route it.)
 */
export async function planPools(input: PlanInput, state: ReadState, plan: Plan): Promise<void> {
  if (input.settings.noDefaultPools) return;
  const node = decodeNode(plannedText(nodeKeyOf(input), state, plan));
  const wantsV6 = node.ipv6Address !== undefined || namesNetwork(input.settings.ipv6Pool);
  const present = familiesOf(state.pools, input.log);
  const missing = ([4, 6] as const).filter(
    (family) => !present.has(family) && (family === 4 || wantsV6),
  );
  if (missing.length === 0) return;
  const nodes = [node, ...(await readOtherNodes(input))];
  const taken = nodes.flatMap((one) =>
    [one.ipv4Address, one.ipv6Address].flatMap((text) => addressOf(text ?? '') ?? []),
  );
  for (const family of missing) {
    const settings = family === 4 ? input.settings.ipv4Pool : input.settings.ipv6Pool;
    const { nodeName, view } = input;
    const { pool, warning } = defaultPool({ family, settings, nodeName, view, taken });
    if (warning !== undefined) plan.warnings.push(warning);
    if (pool === undefined) continue;
    plan.writes.set(resourceKey('ippools', pool.name), encodeIpPool(pool, newIdentity(input)));
  }
}

const namesNetwork = ({ cidr = '' }: PoolSettings): boolean =>
  !['', 'none'].includes(cidr.trim().toLowerCase());

/** A pool that cannot be read counts for both families: better no default pool than one that overlaps it. */
function familiesOf(pools: readonly Entry[], log: Log): ReadonlySet<Family> {
  const found = new Set<Family>();
  for (const entry of pools) {
    try {
      found.add(decodeIpPool(entry.value, entry.key).cidr.family);
    } catch (error) {
      log.warn({ key: entry.key, reason: toFault(error).reason }, messageOf(error));
      found.add(4).add(6);
    }
  }
  return found;
}
