import t from 'tap';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { storeContract, type ContractSubject } from '../fixtures/store-contract.js';

// The memory store stands in for real ones in other rooms' tests, behind the fault wrapper.
async function open(): Promise<ContractSubject> {
  const memory = createMemoryStore();
  const store = createFaultyStore(memory);
  return {
    store,
    compact: async () => memory.compact(),
    loseNextReply: async () => store.failAfterCommit(),
    unreachable: () => {
      const other = createFaultyStore(createMemoryStore());
      other.cutOff(true);
      return other;
    },
    close: () => store.close(),
  };
}

storeContract(t, open, { hold: true });
