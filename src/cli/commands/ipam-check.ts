import {
  handlePrefix,
  hostRecordPrefix,
  keptAddressPrefix,
  networkRecordPrefix,
  resourcePrefix,
} from '../../datastore/index.js';
import { decodeNode, decodeWorkloadEndpoint } from '../../model/v3/index.js';
import { listBlocks } from '../blocks.js';
import type { Io } from '../io.js';
import { checkIpam, type CheckedAddress, type IpamReport, type IpamWorld } from '../ipam-check.js';
import type { Objects } from '../objects.js';
import { readPools } from '../pool-checks.js';
import { readEach } from '../read-each.js';
import { withObjects, type SharedOptions } from '../session.js';

export interface IpamCheckOptions extends SharedOptions {
  readonly showAllIps?: boolean;
  readonly showProblemIps?: boolean;
}

/** ipam check: whether what is taken is used, and what is used is taken; in calicoctl's words. */
export async function ipamCheckCommand(io: Io, options: IpamCheckOptions): Promise<number> {
  return withObjects(io, options, async (objects) => {
    io.out('Checking IPAM for inconsistencies...\n\n');
    const world = await readWorld(io, objects);
    const report = checkIpam(world);
    const { blocks, pools, nodes, endpoints } = world;
    io.out(
      `Found ${blocks.length} IPAM blocks.\nIPAM blocks record ${report.allocations} allocations.\n` +
        `Found ${pools.filter(({ disabled }) => !disabled).length} active IP pools.\n` +
        `Found ${nodes.length} nodes and ${endpoints.length} workload endpoints, which use ${report.inUse.length} IPs.\n\n`,
    );
    if (options.showAllIps === true) io.out(lines(report.inUse, 'in use by'));
    const { showAllIps = false, showProblemIps = false } = options;
    io.out(problems(report, showAllIps || showProblemIps));
    return 0;
  });
}

/**
 * Users are read after what is taken: an address that is given out meanwhile may be missed, one that is in use does not
 * look like a leak.
 */
async function readWorld(io: Io, { store }: Objects): Promise<IpamWorld> {
  const pools = await readPools(io, store);
  const blocks = await listBlocks(io, store);
  const list = async (prefix: string) => (await store.list(prefix)).entries;
  const handles = await list(handlePrefix);
  const records = [...(await list(networkRecordPrefix)), ...(await list(hostRecordPrefix))];
  return {
    pools,
    blocks: blocks.map(({ block }) => block),
    handles: handles.map(({ key }) => key.slice(handlePrefix.length)),
    nodes: readEach(io, await list(resourcePrefix('nodes')), decodeNode),
    endpoints: readEach(
      io,
      await list(resourcePrefix('workloadendpoints')),
      decodeWorkloadEndpoint,
    ),
    kept: new Set(
      (await list(keptAddressPrefix)).map(({ key }) => key.slice(keptAddressPrefix.length)),
    ),
    usesPool: (poolId) => records.some(({ value }) => value.includes(JSON.stringify(poolId))),
  };
}

function problems(report: IpamReport, each: boolean): string {
  const { leaked, outside, unallocated, leakedHandles, missingHandles } = report;
  const list = (found: readonly CheckedAddress[], word: string): string =>
    each ? lines(found, word) : '';
  const ids = (found: readonly string[]): string =>
    each ? found.map((id) => `  ${id}\n`).join('') : '';
  const count = [leaked, outside, unallocated, leakedHandles, missingHandles].reduce(
    (sum, found) => sum + found.length,
    0,
  );
  return (
    'Scanning for IPs that are allocated but not actually in use...\n' +
    list(leaked, 'leaked:') +
    `Found ${leaked.length} IPs that are allocated in IPAM but not actually in use.\n` +
    'Scanning for IPs that are in use by a workload or node but not allocated in IPAM...\n' +
    list(outside, 'not in an active pool:') +
    list(unallocated, 'not allocated:') +
    `Found ${outside.length} in-use IPs that are not in active IP pools.\n` +
    `Found ${unallocated.length} in-use IPs that are in active IP pools but have no corresponding IPAM allocation.\n\n` +
    'Scanning for IPAM handles with no matching IPs...\n' +
    ids(leakedHandles) +
    `Found ${leakedHandles.length} handles with no matching IPs.\n` +
    'Scanning for IPs with missing handle...\n' +
    ids(missingHandles) +
    `Found ${missingHandles.length} handles mentioned in blocks with no matching handle resource.\n` +
    `Check complete; found ${count} problems.\n`
  );
}

const lines = (found: readonly CheckedAddress[], word: string): string =>
  found.map(({ address, about }) => `  ${address} ${word} ${about}\n`).join('');
