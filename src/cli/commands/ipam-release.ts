import { Fault } from '../../base/index.js';
import { resourcePrefix } from '../../datastore/index.js';
import { Address } from '../../model/index.js';
import { decodeWorkloadEndpoint } from '../../model/v3/index.js';
import { notAnAddress, releaseAddress } from '../addresses.js';
import type { Io } from '../io.js';
import { readEach } from '../read-each.js';
import { withObjects, type SharedOptions } from '../session.js';

export interface IpamReleaseOptions extends SharedOptions {
  readonly ip?: string;
  readonly force?: boolean;
}

/** ipam release: frees one address, whoever holds it; one that an endpoint uses needs `--force`. */
export async function ipamReleaseCommand(io: Io, options: IpamReleaseOptions): Promise<number> {
  const { ip } = options;
  if (ip === undefined) {
    throw new Fault('invalid', 'give the address: --ip=ADDRESS', { reason: 'usage' });
  }
  const address = Address.tryParse(ip);
  if (address === undefined) throw notAnAddress(ip);
  return withObjects(io, options, async ({ store }) => {
    const { entries } = await store.list(resourcePrefix('workloadendpoints'));
    const user = readEach(io, entries, decodeWorkloadEndpoint).find(({ addresses }) =>
      addresses.some((each) => each.equals(address)),
    );
    if (user !== undefined && options.force !== true) {
      const message = `IP address ${address} belongs to endpoint ${user.namespace}/${user.name} on node ${user.node}: remove that first, or give --force if the container is gone`;
      throw new Fault('refused', message, { reason: 'address-in-use' });
    }
    if (!(await releaseAddress(store, address, io.now().getTime()))) {
      throw new Fault('not-found', `IP address ${address} is not assigned`);
    }
    io.out(`Successfully released IP address ${address}\n`);
    return 0;
  });
}
