import { randomBytes } from 'node:crypto';
import { Fault, type Clock } from '../base/index.js';
import { Cidr, type Family } from '../model/index.js';
import type { Catalog } from './catalog.js';
import { makePoolId, type PoolId } from './pool-id.js';
import { candidatePools, poolOfSubnet } from './pools.js';
import type { PoolUses } from './ports.js';
import type { RequestPoolBody } from './schema.js';

export const LOCAL_ADDRESS_SPACE = 'CalicoLocalAddressSpace';
export const GLOBAL_ADDRESS_SPACE = 'CalicoGlobalAddressSpace';

const GATEWAY_DATA = 'com.docker.network.gateway';
/** What a container really uses; Docker shows it in `network inspect` and asks for no gateway address. */
const GATEWAY4 = '169.254.1.1/32';
const GATEWAY6 = 'fe80::a9fe:101/128';
/** The only pool that skips Docker's check against the host's routes and its endless repetition (plugin protocol §2.6). */
const ANY4 = '0.0.0.0/0';

export interface PoolAnswer {
  readonly PoolID: string;
  readonly Pool: string;
  readonly Data: Readonly<Record<string, string>>;
}

/** Options of `--ipam-opt` that Docker itself adds; users have none to give. */
const IGNORED_OPTIONS = new Set(['com.docker.network.ipam.serial']);

const REPEAT_LIMIT = 20;
const REPEAT_WINDOW_MS = 1_000;

/** RequestPool: decides from the catalogue, writes nothing. */
export function createPoolRequests(options: {
  readonly catalog: Catalog;
  readonly uses: PoolUses;
  readonly clock: Clock;
}): (body: RequestPoolBody) => PoolAnswer {
  const recent = new Map<string, number[]>();
  return (body) => {
    refuseEndlessRepetition(recent, JSON.stringify(body), options.clock.now());
    refuseOptions(body.Options ?? {});
    const family: Family = body.V6 === true ? 6 : 4;
    const answer = answerFor(body, family, options.catalog);
    options.uses.requested(answer.PoolID, { pool: answer.Pool });
    return answer;
  };
}

function answerFor(body: RequestPoolBody, family: Family, catalog: Catalog): PoolAnswer {
  const random = randomBytes(6).toString('hex');
  const gateway = family === 4 ? GATEWAY4 : GATEWAY6;
  const subnet = requestedSubnet(body.Pool ?? '', family);
  const range = requestedRange(body.SubPool ?? '', subnet);
  if (subnet !== undefined) {
    const pool = poolOfSubnet(catalog, subnet).value;
    const id = makePoolId({ poolName: pool.name, family, range }, random);
    return { PoolID: id.text, Pool: pool.cidr.toString(), Data: { [GATEWAY_DATA]: gateway } };
  }
  const id: PoolId = makePoolId({ poolName: undefined, family }, random);
  const [first] = candidatePools(catalog, id, family);
  const pool = family === 4 || first === undefined ? ANY4 : first.value.cidr.toString();
  return { PoolID: id.text, Pool: pool, Data: { [GATEWAY_DATA]: gateway } };
}

/** Undefined when the user gave none; engines from 29 on may send only a size (`0.0.0.0/24`), which is none either. */
function requestedSubnet(text: string, family: Family): Cidr | undefined {
  if (text === '') return undefined;
  const subnet = Cidr.parse(text, { strict: true });
  if (subnet.family !== family) {
    throw new Fault('invalid', `subnet ${subnet} is no IPv${family} network`, {
      reason: 'wrong-family',
    });
  }
  return subnet.base.value === 0n ? undefined : subnet;
}

function requestedRange(text: string, subnet: Cidr | undefined): Cidr | undefined {
  if (text === '') return undefined;
  const range = Cidr.parse(text, { strict: true });
  if (subnet === undefined || !subnet.containsCidr(range)) {
    throw new Fault(
      'invalid',
      `--ip-range ${range} is not inside ${subnet === undefined ? 'a --subnet: give one that is the CIDR of a pool' : `the subnet ${subnet}`}`,
      {
        reason: 'range-outside-subnet',
      },
    );
  }
  return range;
}

function refuseOptions(options: Readonly<Record<string, string | null>>): void {
  const unknown = Object.keys(options).filter((name) => !IGNORED_OPTIONS.has(name));
  if (unknown.length === 0) return;
  throw new Fault(
    'invalid',
    `unknown --ipam-opt ${unknown.join(', ')}; calico-ipam has no options: the pool is chosen by --subnet`,
    {
      reason: 'unknown-option',
    },
  );
}

/** Docker repeats the same request without pause when the pool overlaps a route of the host; that would never end. */
function refuseEndlessRepetition(
  recent: Map<string, number[]>,
  request: string,
  nowMs: number,
): void {
  for (const [other, times] of recent)
    if ((times.at(-1) ?? 0) < nowMs - REPEAT_WINDOW_MS) recent.delete(other);
  const times = (recent.get(request) ?? []).filter((at) => at > nowMs - REPEAT_WINDOW_MS);
  times.push(nowMs);
  recent.set(request, times);
  if (times.length <= REPEAT_LIMIT) return;
  throw new Fault(
    'refused',
    'Docker asked for the same pool more than 20 times in a second: the pool overlaps a route or name server of this host; give --subnet with the CIDR of another pool',
    {
      reason: 'pool-request-loop',
    },
  );
}
