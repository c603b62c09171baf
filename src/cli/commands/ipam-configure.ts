import { Fault } from '../../base/index.js';
import { commitOrConflict, ipamConfigKey, retryOnConflict } from '../../datastore/index.js';
import type { IpamConfig } from '../../model/index.js';
import { decodeIpamConfig, encodeIpamConfig } from '../../model/v3/index.js';
import type { Io } from '../io.js';
import { withObjects, type SharedOptions } from '../session.js';

export interface IpamConfigureOptions extends SharedOptions {
  readonly strictaffinity?: string;
  readonly maxBlocksPerHost?: string;
}

const ATTEMPTS = 5;

/** ipam configure: changes the cluster's IPAM settings. */
export async function ipamConfigureCommand(io: Io, options: IpamConfigureOptions): Promise<number> {
  const changes = changesOf(options);
  if (Object.keys(changes).length === 0) {
    throw invalid('at least one configuration option must be specified');
  }
  return withObjects(io, options, async ({ store }) => {
    await retryOnConflict(ATTEMPTS, async () => {
      const entry = await store.get(ipamConfigKey);
      const next: IpamConfig = { ...decodeIpamConfig(entry?.value), ...changes };
      checkTogether(next);
      const value = encodeIpamConfig(next, entry?.value);
      await commitOrConflict(
        store,
        {
          compares: [{ key: ipamConfigKey, revision: entry?.revision ?? 0n }],
          writes: [{ key: ipamConfigKey, value }],
        },
        'the IPAM configuration',
      );
    });
    const { strictAffinity, maxBlocksPerHost } = changes;
    if (strictAffinity !== undefined) {
      io.out(`Successfully set StrictAffinity to: ${strictAffinity}\n`);
    }
    if (maxBlocksPerHost !== undefined) {
      io.out(`Successfully set MaxBlocksPerHost to: ${maxBlocksPerHost}\n`);
    }
    return 0;
  });
}

function changesOf({
  strictaffinity,
  maxBlocksPerHost,
}: IpamConfigureOptions): Partial<IpamConfig> {
  if (strictaffinity !== undefined && !['true', 'false'].includes(strictaffinity)) {
    throw invalid(`invalid value "${strictaffinity}". Use true or false to set strictaffinity`);
  }
  if (maxBlocksPerHost !== undefined && !/^\d{1,7}$/.test(maxBlocksPerHost)) {
    throw invalid(`max-blocks-per-host must be a whole number, found "${maxBlocksPerHost}"`);
  }
  return {
    ...(strictaffinity === undefined ? {} : { strictAffinity: strictaffinity === 'true' }),
    ...(maxBlocksPerHost === undefined ? {} : { maxBlocksPerHost: Number(maxBlocksPerHost) }),
  };
}

/** Combinations that Calico refuses (datamodel §2.11). */
function checkTogether({ strictAffinity, autoAllocateBlocks, maxBlocksPerHost }: IpamConfig): void {
  if (!strictAffinity && maxBlocksPerHost > 0) {
    throw invalid('error: MaxBlocksPerHost requires StrictAffinity to be enabled');
  }
  if (!strictAffinity && !autoAllocateBlocks) {
    throw invalid(
      'StrictAffinity and AutoAllocateBlocks cannot both be off: no host could get a block',
    );
  }
}

function invalid(message: string): Fault {
  return new Fault('invalid', message, { reason: 'ipam-configuration' });
}
