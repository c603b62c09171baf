import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { silentLog } from '../../src/base/index.js';
import { createEmbeddedStore } from '../../src/datastore/embedded/index.js';
import { storeContract, type ContractSubject } from '../fixtures/store-contract.js';

const HISTORY = 100;

async function open(): Promise<ContractSubject> {
  const directory = await mkdtemp(join(tmpdir(), 'embedded-test-'));
  const history = { maxRevisions: HISTORY };
  const store = createEmbeddedStore({ directory, log: silentLog, history });
  return {
    store,
    compact: async () => {
      for (let index = 0; index < 2 * HISTORY; index += 1) {
        await store.commit({ compares: [], writes: [{ key: '/pushes/history/out', value: '' }] });
      }
    },
    close: async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

storeContract(t, open, { hold: true });
