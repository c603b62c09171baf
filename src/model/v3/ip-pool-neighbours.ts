import { Cidr } from '../cidr.js';
import type { IpPool } from '../ip-pool.js';
import { cell } from './kind.js';
import type { Problem } from './problem.js';
import { stringOf, type Resource } from './resource.js';

const CIDR_FIELD = 'IPPool.Spec.CIDR';

/** The pool's own CIDR against those of all others: two pools never share an address. */
export function checkPoolOverlap(pool: Resource, others: readonly IpPool[]): Problem[] {
  const cidr = Cidr.parse(stringOf(pool.spec, 'cidr'));
  return others
    .filter((other) => other.name !== pool.metadata.name && other.cidr.overlaps(cidr))
    .map((other) => ({
      field: CIDR_FIELD,
      value: cidr.toString(),
      reason: `IPPool(${pool.metadata.name}) CIDR overlaps with IPPool(${other.name}) CIDR ${other.cidr}`,
    }));
}

/** Blocks that an earlier pool left behind must have this pool's size, or addresses would be counted twice. */
export function checkPoolBlocks(pool: Resource, blocks: readonly Cidr[]): Problem[] {
  const cidr = Cidr.parse(stringOf(pool.spec, 'cidr'));
  const size = pool.spec['blockSize'];
  const other = blocks.find((block) => block.overlaps(cidr) && block.prefix !== size);
  if (other === undefined) return [];
  return [
    {
      field: 'IPPool.Spec.BlockSize',
      value: cell(size),
      reason: `block ${other} of an earlier pool lies in ${cidr} with another size: use blockSize ${other.prefix} or release its addresses`,
    },
  ];
}
