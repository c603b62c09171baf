import { Fault, isFault, type Log } from '../base/index.js';
import { Address, bitsOf, type Family } from '../model/index.js';
import { checkedMethod, constantMethod, deleteOrDefer, type PluginMethod } from '../rpc/index.js';
import type { Allocator } from './allocator.js';
import { parsePoolId, type PoolId } from './pool-id.js';
import type { PoolAddressLedger } from './pool-address-ledger.js';
import type { PendingReleases, PoolUses } from './ports.js';
import { isDeferrable } from './release.js';
import { GLOBAL_ADDRESS_SPACE, LOCAL_ADDRESS_SPACE, type PoolAnswer } from './request-pool.js';
import {
  ReleaseAddressBody,
  ReleasePoolBody,
  RequestAddressBody,
  RequestPoolBody,
} from './schema.js';

/** What answers the calls once the store was reached for the first time. */
export interface IpamCore {
  readonly allocator: Allocator;
  readonly requestPool: (body: RequestPoolBody) => PoolAnswer;
  readonly uses: PoolUses;
  readonly poolAddresses: Pick<PoolAddressLedger, 'keep' | 'drop' | 'dropPool'>;
}

export interface IpamPluginOptions {
  /** Settles at the first contact with the datastore. */
  readonly core: (signal: AbortSignal) => Promise<IpamCore>;
  /** Brings the catalogue up to date before a pool is refused: it may have been made a moment ago. */
  readonly refreshPools: (signal: AbortSignal) => Promise<void>;
  /** Reads the stored networks again. */
  readonly refreshNetworks: (signal: AbortSignal) => Promise<void>;
  readonly pending: PendingReleases;
  readonly callTimeoutMs: number;
  readonly deleteTimeoutMs: number;
  /** Bound of the calls that wait for the first contact. */
  readonly bootTimeoutMs: () => number;
  readonly names: { readonly driver: string; readonly ipamDriver: string };
  readonly log: Log;
}

const REQUEST_TYPE = 'RequestAddressType';
const GATEWAY_TYPE = 'com.docker.network.gateway';
const MAC_OPTION = 'com.docker.network.endpoint.macaddress';

/** Docker's IpamDriver (plugin protocol §2.2). */
export function createIpamMethods(options: IpamPluginOptions): ReadonlyMap<string, PluginMethod> {
  const boot: PluginMethod = {
    schema: RequestAddressBody,
    get boundMs() {
      return options.bootTimeoutMs();
    },
    run: (body, signal) => requestAddress(body as RequestAddressBody, options, signal),
  };
  return new Map<string, PluginMethod>([
    ['Plugin.Activate', constantMethod({ Implements: ['IpamDriver'] })],
    [
      'IpamDriver.GetCapabilities',
      constantMethod({ RequiresMACAddress: true, RequiresRequestReplay: false }),
    ],
    [
      'IpamDriver.GetDefaultAddressSpaces',
      constantMethod({
        LocalDefaultAddressSpace: LOCAL_ADDRESS_SPACE,
        GlobalDefaultAddressSpace: GLOBAL_ADDRESS_SPACE,
      }),
    ],
    [
      'IpamDriver.RequestPool',
      checkedMethod<RequestPoolBody>(RequestPoolBody, options.callTimeoutMs, (body, signal) =>
        requestPool(body, options, signal),
      ),
    ],
    [
      'IpamDriver.ReleasePool',
      checkedMethod<ReleasePoolBody>(ReleasePoolBody, options.deleteTimeoutMs, (body, signal) =>
        releasePool(body, options, signal),
      ),
    ],
    ['IpamDriver.RequestAddress', boot],
    [
      'IpamDriver.ReleaseAddress',
      checkedMethod<ReleaseAddressBody>(
        ReleaseAddressBody,
        options.deleteTimeoutMs,
        (body, signal) => releaseAddress(body, options, signal),
      ),
    ],
  ]);
}

async function requestPool(
  body: RequestPoolBody,
  options: IpamPluginOptions,
  signal: AbortSignal,
): Promise<PoolAnswer> {
  const core = await options.core(signal);
  try {
    return core.requestPool(body);
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
    await options.refreshPools(signal);
    return core.requestPool(body);
  }
}

async function requestAddress(
  body: RequestAddressBody,
  options: IpamPluginOptions,
  signal: AbortSignal,
): Promise<unknown> {
  const core = await options.core(signal);
  const poolId = parsePoolId(body.PoolID);
  const mac = requestedMac(body.Options?.[MAC_OPTION] ?? '');
  const gateway = body.Options?.[REQUEST_TYPE] === GATEWAY_TYPE;
  const address = requestedAddress(body.Address ?? '', poolId);
  const holder = gateway || (address !== undefined && mac === '') ? 'pool' : 'endpoint';
  if (holder === 'endpoint') await refuseOtherDriver(core, poolId.text, options, signal);
  const family = address?.family ?? poolId.family ?? 4;
  const granted = await core.allocator.request({ poolId, family, address, mac, holder, signal });
  if (holder === 'pool') core.poolAddresses.keep(poolId.text, granted);
  return { Address: `${granted}/${bitsOf(granted.family)}`, Data: {} };
}

/** Before a refusal the stored networks are read again: another host may have made the network. */
async function refuseOtherDriver(
  core: IpamCore,
  poolId: string,
  options: IpamPluginOptions,
  signal: AbortSignal,
): Promise<void> {
  if (core.uses.userOf(poolId) === 'ours') return;
  await options.refreshNetworks(signal);
  if (core.uses.userOf(poolId) !== 'ours') throw otherDriver(options.names);
}

/** It becomes part of the stored block, which every host of the pool reads. */
function requestedMac(text: string): string {
  const mac = text.toLowerCase();
  if (mac === '' || /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) return mac;
  throw new Fault('invalid', `${JSON.stringify(text.slice(0, 40))} is no MAC address`, {
    reason: 'bad-mac',
  });
}

function requestedAddress(text: string, { family }: PoolId): Address | undefined {
  if (text === '') return undefined;
  const address = Address.parse(text);
  if (family === undefined || address.family === family) return address;
  throw new Fault('invalid', `${address} is no IPv${family} address, as the pool's are`, {
    reason: 'wrong-family',
  });
}

function otherDriver(names: { readonly driver: string; readonly ipamDriver: string }): Fault {
  return new Fault(
    'refused',
    `${names.ipamDriver} gives addresses to ${names.driver} networks only, because other drivers would break this host's NAT with them; ` +
      `create the network with both: docker network create --driver ${names.driver} --ipam-driver ${names.ipamDriver} NAME`,
    { reason: 'other-driver' },
  );
}

/** Docker ignores an error here, so the work is remembered when it cannot be done now. */
async function releaseAddress(
  body: ReleaseAddressBody,
  options: IpamPluginOptions,
  signal: AbortSignal,
): Promise<unknown> {
  const address = Address.tryParse(body.Address);
  // `0.0.0.0` and link-local gateways were answered in RequestPool and never claimed.
  if (address === undefined || isAnsweredGateway(address)) return {};
  let handle: string | undefined;
  const release = async (bounded: AbortSignal): Promise<void> => {
    const { allocator, poolAddresses } = await options.core(bounded);
    poolAddresses.drop(body.PoolID, address);
    handle = allocator.handleOf(address);
    const reason = await allocator.release(address, body.PoolID, { signal: bounded });
    if (reason === 'released') return;
    options.log.info(
      { Address: body.Address, PoolID: body.PoolID, reason },
      'address left as it is',
    );
  };
  const defer = (): Promise<void> => {
    const payload = { address: address.toString(), poolId: body.PoolID };
    return options.pending.record(
      'release-address',
      handle === undefined ? payload : { ...payload, handle },
    );
  };
  await deleteOrDefer({
    boundMs: options.deleteTimeoutMs,
    signal,
    log: options.log,
    work: release,
    defer,
    isFinal: (fault) => !isDeferrable(fault),
  });
  return {};
}

async function releasePool(
  body: ReleasePoolBody,
  options: IpamPluginOptions,
  signal: AbortSignal,
): Promise<unknown> {
  const poolId: PoolId = parsePoolId(body.PoolID);
  await deleteOrDefer({
    boundMs: options.deleteTimeoutMs,
    signal,
    log: options.log,
    work: async (bounded) => {
      const core = await options.core(bounded);
      core.uses.released(poolId.text);
      core.poolAddresses.dropPool(poolId.text);
      await core.allocator.releasePool(poolId.text, { signal: bounded });
    },
    defer: () => options.pending.record('release-pool', { poolId: poolId.text }),
    isFinal: (fault) => !isDeferrable(fault),
  });
  return {};
}

function isAnsweredGateway(address: Address): boolean {
  const family: Family = address.family;
  return (
    address.value === 0n ||
    (family === 4 ? address.value >> 16n === 0xa9fen : address.value >> 118n === 0x3fan)
  );
}
