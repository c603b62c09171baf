import { Fault } from '../../base/index.js';
import { ipamConfigKey, resourcePrefix } from '../../datastore/index.js';
import { Address, heldAddresses, holderOf, type BlockAttribute } from '../../model/index.js';
import {
  decodeIpReservation,
  decodeIpamConfig,
  decodeWorkloadEndpoint,
} from '../../model/v3/index.js';
import { findBlock, notAnAddress, type StoredBlock } from '../addresses.js';
import { listBlocks } from '../blocks.js';
import type { Io } from '../io.js';
import { formatCount, formatShare, usageRows } from '../ipam-usage.js';
import type { Objects } from '../objects.js';
import { readPools } from '../pool-checks.js';
import { readEach } from '../read-each.js';
import { withObjects, type SharedOptions } from '../session.js';
import { borderedTable } from '../tables.js';

export interface IpamShowOptions extends SharedOptions {
  readonly ip?: string;
  readonly showBlocks?: boolean;
  readonly showBorrowed?: boolean;
  readonly showConfiguration?: boolean;
}

/** ipam show: usage of pools, or what its flags ask for. */
export async function ipamShowCommand(io: Io, options: IpamShowOptions): Promise<number> {
  const { ip } = options;
  const address = ip === undefined ? undefined : Address.tryParse(ip);
  if (ip !== undefined && address === undefined) throw notAnAddress(ip);
  return withObjects(io, options, async (objects) => {
    if (address !== undefined) await showAddress(io, objects, address);
    else if (options.showBorrowed === true) await showBorrowed(io, objects);
    else if (options.showConfiguration === true) await showConfiguration(io, objects);
    else await showUsage(io, objects, options.showBlocks === true);
    return 0;
  });
}

async function showUsage(io: Io, { store }: Objects, withBlocks: boolean): Promise<void> {
  const pools = await readPools(io, store);
  const blocks = await listBlocks(io, store);
  const { entries } = await store.list(resourcePrefix('ipreservations'));
  const reservations = readEach(io, entries, decodeIpReservation).flatMap(({ cidrs }) => cidrs);
  const rows = usageRows(
    pools,
    blocks.map(({ block }) => block),
    reservations,
    withBlocks,
  );
  const align = 'right' as const;
  const table = borderedTable(
    [
      { heading: 'GROUPING' },
      { heading: 'CIDR' },
      { heading: 'IPS TOTAL', align },
      { heading: 'IPS IN USE', align },
      { heading: 'IPS RESERVED', align },
      { heading: 'IPS FREE', align },
    ],
    rows.map(({ grouping, cidr, total, used, reserved }) => [
      grouping,
      cidr.toString(),
      formatCount(total),
      formatShare(used, total),
      formatShare(reserved, total),
      formatShare(total - used - reserved, total),
    ]),
  );
  io.out(table);
}

async function showAddress(io: Io, { store }: Objects, address: Address): Promise<void> {
  const found = await findBlock(store, address, io.now().getTime());
  const holder = found === undefined ? undefined : holderOf(found.block, address);
  if (holder === undefined) {
    io.out(`${address} is not assigned\n`);
    return;
  }
  if (holder.releasedAt !== undefined) {
    const message = `address ${address} is in cooldown: it was released at ${holder.releasedAt}`;
    throw new Fault('refused', message, { reason: 'cooldown' });
  }
  io.out(`IP ${address} is in use\n${describeHolder(holder)}`);
  const endpoints = readEach(
    io,
    (await store.list(resourcePrefix('workloadendpoints'))).entries,
    decodeWorkloadEndpoint,
  );
  for (const endpoint of endpoints) {
    if (!endpoint.addresses.some((each) => each.equals(address))) continue;
    io.out(`Endpoint: ${endpoint.namespace}/${endpoint.name} on ${endpoint.node}\n`);
  }
}

function describeHolder({ handle, secondary }: BlockAttribute): string {
  const lines: string[] = [];
  if (handle !== undefined) lines.push(`Handle ID: ${handle}`);
  const attributes = Object.entries(secondary).sort(([a], [b]) => (a < b ? -1 : 1));
  if (attributes.length > 0) lines.push('Active Owner Attributes:');
  lines.push(...attributes.map(([name, value]) => `  ${name}: ${value}`));
  return lines.map((line) => `${line}\n`).join('');
}

async function showBorrowed(io: Io, { store }: Objects): Promise<void> {
  const blocks = await listBlocks(io, store);
  const rows = blocks.flatMap(borrowedRows);
  const headings = ['IP', 'BORROWING-NODE', 'BLOCK', 'BLOCK OWNER', 'TYPE', 'ALLOCATED-TO'];
  io.out(
    borderedTable(
      headings.map((heading) => ({ heading })),
      rows,
    ),
  );
  const nameless = blocks.reduce(
    (sum, { block }) => sum + [...heldAddresses(block)].filter(isNameless).length,
    0,
  );
  if (nameless > 0) {
    io.out(
      `Note: ${nameless} addresses say nothing about their node (an older plugin allocated them), so they are not judged here.\n`,
    );
  }
}

function isNameless({ holder }: { readonly holder: BlockAttribute }): boolean {
  return holder.releasedAt === undefined && holder.secondary['node'] === undefined;
}

function borrowedRows({ block }: StoredBlock): string[][] {
  const owner = block.affinity?.replace(/^host:/, '') ?? '';
  return [...heldAddresses(block)].flatMap(({ address, holder }) => {
    const { node, type = '', pod, namespace } = holder.secondary;
    if (node === undefined || node === owner) return [];
    const user = pod === undefined ? '' : `${namespace ?? ''}/${pod}`;
    return [[address.toString(), node, block.cidr.toString(), owner, type, user]];
  });
}

async function showConfiguration(io: Io, { store }: Objects): Promise<void> {
  const entry = await store.get(ipamConfigKey);
  const config = decodeIpamConfig(entry?.value);
  const rows = [
    ['StrictAffinity', String(config.strictAffinity)],
    ['AutoAllocateBlocks', String(config.autoAllocateBlocks)],
    ['MaxBlocksPerHost', String(config.maxBlocksPerHost)],
    ['IPCooldownSeconds', String(config.ipCooldownSeconds ?? 0)],
  ];
  io.out(borderedTable([{ heading: 'PROPERTY' }, { heading: 'VALUE' }], rows));
}
