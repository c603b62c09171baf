import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { refuseUnnoticed } from '../src/exchange.js';
import { recordDatastore, recordedDatastore } from '../src/node/index.js';

t.test('what a datastore lacks tells that it was exchanged, a conflict does not', async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'exchange-'));
  t.teardown(() => rmSync(stateDir, { recursive: true, force: true }));
  const recorded = { type: 'etcdv3', storeId: 'a', clusterGuid: 'guid' } as const;
  await recordDatastore(stateDir, recorded);
  const conflicts = [{ address: '10.0.0.1', here: 'container', there: 'node2' }];
  await refuseUnnoticed({ claimed: [], conflicts, endpoints: 0 }, stateDir);
  t.same(await recordedDatastore(stateDir), recorded, 'no epoch begins');
  const lost = { claimed: ['10.0.0.2'], conflicts, endpoints: 0 };
  await t.rejects(refuseUnnoticed(lost, stateDir), /it lacked 1 addresses and 0 endpoints/);
  t.match(await recordedDatastore(stateDir), { exchanged: /it lacked 1 addresses/ });
});
