import { heldAddresses, usedOf, type Block, type Cidr, type IpPool } from '../model/index.js';

/** Addresses of a pool or block, counted. */
export interface Usage {
  readonly grouping: 'IP Pool' | 'Block';
  readonly cidr: Cidr;
  readonly total: bigint;
  readonly used: bigint;
  /** Covered by a reservation and not in use. */
  readonly reserved: bigint;
}

/** Rows of `ipam show`: every pool, with `withBlocks` its blocks below it and blocks of no pool last. */
export function usageRows(
  pools: readonly IpPool[],
  blocks: readonly Block[],
  reservations: readonly Cidr[],
  withBlocks: boolean,
): Usage[] {
  const disjoint = withoutNested(reservations);
  const rows: Usage[] = [];
  const seen = new Set<Block>();
  for (const pool of pools) {
    const own = blocks.filter((block) => pool.cidr.containsCidr(block.cidr));
    const blockRows = own.map((block) => blockUsage(block, disjoint));
    for (const block of own) seen.add(block);
    const usedReserved = own.reduce((sum, block) => sum + heldIn(block, disjoint), 0n);
    rows.push({
      grouping: 'IP Pool',
      cidr: pool.cidr,
      total: pool.cidr.size,
      used: blockRows.reduce((sum, { used }) => sum + used, 0n),
      reserved: covered(pool.cidr, disjoint) - usedReserved,
    });
    if (withBlocks) rows.push(...blockRows);
  }
  if (withBlocks) {
    const orphans = blocks.filter((block) => !seen.has(block));
    rows.push(...orphans.map((block) => blockUsage(block, disjoint)));
  }
  return rows;
}

function blockUsage(block: Block, reservations: readonly Cidr[]): Usage {
  return {
    grouping: 'Block',
    cidr: block.cidr,
    total: block.cidr.size,
    used: BigInt(usedOf(block)),
    reserved: covered(block.cidr, reservations) - heldIn(block, reservations),
  };
}

/** Networks of which none lies in another: two CIDRs are nested or apart. */
function withoutNested(cidrs: readonly Cidr[]): Cidr[] {
  return cidrs.filter(
    (cidr, at) =>
      !cidrs.some(
        (other, index) =>
          index !== at && other.containsCidr(cidr) && (!cidr.containsCidr(other) || index < at),
      ),
  );
}

function covered(cidr: Cidr, reservations: readonly Cidr[]): bigint {
  return reservations.reduce((sum, reserved) => {
    if (reserved.containsCidr(cidr)) return sum + cidr.size;
    return cidr.containsCidr(reserved) ? sum + reserved.size : sum;
  }, 0n);
}

function heldIn(block: Block, reservations: readonly Cidr[]): bigint {
  const near = reservations.filter((reserved) => reserved.overlaps(block.cidr));
  if (near.length === 0) return 0n;
  const held = [...heldAddresses(block)].filter(({ address }) =>
    near.some((reserved) => reserved.contains(address)),
  );
  return BigInt(held.length);
}

/** A count of at most five significant digits, as calicoctl writes it: `65536`, `1.8447e+19`. */
export function formatCount(count: bigint): string {
  if (count < 100_000n) return count.toString();
  const [digits = '', exponent = ''] = Number(count).toExponential(4).split('e+');
  return `${digits.replace(/\.?0+$/, '')}e+${exponent.padStart(2, '0')}`;
}

/** A count with its share of the total in whole percent. */
export function formatShare(count: bigint, total: bigint): string {
  if (total === 0n) return `${formatCount(count)} (0%)`;
  const exact = (Number(count) / Number(total)) * 100;
  // Halves go to the even number, as in Go's formatting.
  const down = Math.floor(exact);
  const percent = exact - down === 0.5 ? down + (down % 2) : Math.round(exact);
  return `${formatCount(count)} (${percent}%)`;
}
