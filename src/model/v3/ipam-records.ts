import { Fault } from '../../base/fault.js';
import { Cidr } from '../cidr.js';
import { defaultIpamConfig, type IpamConfig } from '../ip-pool.js';
import { parseWithBigIntegers, stringifyWithBigIntegers } from './ipam-block.js';

/** The small records beside the blocks: configuration, handles, affinities (datamodel §1.15, §1.16, §1.18). */

export type AffinityState = 'pending' | 'confirmed' | 'pendingDeletion';

export function encodeAffinity(state: AffinityState): string {
  return `{"state":"${state}","deleted":false}`;
}

/** An empty value is a legacy record and means confirmed. */
export function decodeAffinity(text: string): AffinityState {
  if (text === '' || text === '""') return 'confirmed';
  const { state } = parseObject(text, 'block affinity');
  if (state === undefined || state === '' || state === 'confirmed') return 'confirmed';
  if (state === 'pending' || state === 'pendingDeletion') return state;
  throw new Fault('corrupt', `a block affinity has the unknown state ${JSON.stringify(state)}`);
}

/** Number of addresses that a handle holds in each block. */
export type HandleBlocks = ReadonlyMap<string, number>;

export function encodeHandle(blocks: HandleBlocks): string {
  return `{"block":${JSON.stringify(Object.fromEntries(blocks))},"deleted":false}`;
}

export function decodeHandle(text: string): HandleBlocks {
  const { block } = parseObject(text, 'IPAM handle');
  const blocks = new Map<string, number>();
  if (typeof block === 'object' && block !== null) {
    for (const [cidr, count] of Object.entries(block)) {
      if (Cidr.tryParse(cidr) !== undefined && typeof count === 'number') blocks.set(cidr, count);
    }
  }
  return blocks;
}

/** `undefined` (no key) gives the defaults; a present key without `auto_allocate_blocks` means false there. */
export function decodeIpamConfig(text: string | undefined): IpamConfig {
  if (text === undefined) return defaultIpamConfig;
  const stored = parseObject(text, 'IPAM configuration');
  return {
    strictAffinity: stored['strict_affinity'] === true,
    autoAllocateBlocks: stored['auto_allocate_blocks'] === true,
    maxBlocksPerHost: asCount(stored['maxBlocksPerHost']),
    ipCooldownSeconds: asCount(stored['ipCooldownSeconds']),
  };
}

/** Keeps members of `previous` that this program does not know; zero values are left out, as Calico does. */
export function encodeIpamConfig(config: IpamConfig, previous?: string): string {
  const stored = previous === undefined ? {} : { ...parseObject(previous, 'IPAM configuration') };
  const set = (name: string, value: number | boolean): void => {
    if (value === false || value === 0) delete stored[name];
    else stored[name] = value;
  };
  set('strict_affinity', config.strictAffinity);
  set('auto_allocate_blocks', config.autoAllocateBlocks);
  set('maxBlocksPerHost', config.maxBlocksPerHost);
  set('ipCooldownSeconds', config.ipCooldownSeconds);
  return stringifyWithBigIntegers(stored);
}

function asCount(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : 0;
}

function parseObject(text: string, what: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parseWithBigIntegers(text);
  } catch (error) {
    throw new Fault('corrupt', `an ${what} is not JSON`, { cause: error });
  }
  if (typeof parsed !== 'object' || parsed === null)
    throw new Fault('corrupt', `an ${what} is no object`);
  return parsed as Record<string, unknown>;
}
