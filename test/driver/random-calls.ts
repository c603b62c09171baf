// Random sequences of plugin calls, alone and together, against a model of what Docker was promised.
import t from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { randomCalls, type RandomCallsOptions } from '../fixtures/random-call-check.js';

const open: RandomCallsOptions['open'] = async (entries) => {
  const store = createMemoryStore({ entries });
  return { store, close: () => store.close() };
};

t.test('all is well', (t) => {
  randomCalls(t, { open, seeds: [1, 11, 12], runs: 50 });
  t.end();
});

t.test('the store fails and loses answers', (t) => {
  randomCalls(t, { open, seeds: [1, 2], runs: 50, faults: true });
  t.end();
});
