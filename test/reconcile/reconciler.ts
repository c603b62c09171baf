import t from 'tap';
import { Fault, silentLog } from '../../src/base/index.js';
import { Address } from '../../src/model/index.js';
import {
  createReconciler,
  type Candidate,
  type Freed,
  type ReconcilePorts,
  type Reconciler,
} from '../../src/reconcile/index.js';
import { until } from '../fixtures/until.js';

const UUID = 'aaaaaaaa-0000-4000-8000-000000000001';
const MINUTE = 60_000;

function candidate(text: string, more: Partial<Candidate> = {}): Candidate {
  return {
    id: text,
    handle: `docker.node1.${'0'.repeat(32)}`,
    node: 'node1',
    hostUuid: UUID,
    revision: 1n,
    addresses: [Address.parse(text)],
    kept: false,
    ...more,
  };
}

interface World {
  candidates: Candidate[];
  addresses: Set<string>;
  dockerDown: boolean;
  outcome: Freed | Fault;
  readonly freed: string[];
  minute: number;
  readonly reconciler: Reconciler;
}

function world(reclaim: 'on' | 'off' = 'on'): World {
  const ports: ReconcilePorts = {
    candidates: async () => state.candidates,
    look: async () => {
      if (state.dockerDown) throw new Fault('unavailable', 'no dockerd');
      return {
        engineId: 'E',
        networkIds: new Set(),
        endpointIds: new Set(),
        addresses: state.addresses,
      };
    },
    kernel: async () => ({
      interfaceNames: new Set(),
      routedAddresses: new Set(),
      liveNamespaces: new Set(),
    }),
    recordedEngineId: async () => 'E',
    holdsNodeName: () => true,
    free: async ({ id }) => {
      if (state.outcome instanceof Fault) throw state.outcome;
      state.freed.push(id);
      return state.outcome;
    },
  };
  const clock = { now: () => state.minute * MINUTE, monotonic: () => state.minute * MINUTE };
  const state: World = {
    candidates: [candidate('10.0.0.1'), candidate('fd00::1')],
    addresses: new Set(),
    dockerDown: false,
    outcome: 'freed',
    freed: [],
    minute: 0,
    get reconciler() {
      return made;
    },
  };
  const made = createReconciler({
    ports,
    node: 'node1',
    hostUuid: UUID,
    reclaim,
    intervalMs: 1,
    log: silentLog,
    clock,
  });
  return state;
}

const signal = (): AbortSignal => AbortSignal.timeout(5_000);

t.test(
  'leftovers go after two looks; what Docker lists stays, however it writes the address',
  async (t) => {
    const now = world();
    now.addresses = new Set(['FD00:0:0::1']);
    t.match(await now.reconciler.pass(signal()), { freed: [], waiting: { 'first-minute': 2 } });
    now.minute = 2;
    t.match(await now.reconciler.pass(signal()), {
      waiting: { 'seen-once': 1, 'live-endpoint': 1 },
    });
    now.minute = 12;
    const report = await now.reconciler.pass(signal());
    t.same(now.freed, ['10.0.0.1']);
    t.equal(report.freed.length, 1);
    t.equal(now.reconciler.report(), report);
  },
);

t.test('without Docker nothing goes, and that is counted', async (t) => {
  const now = world();
  now.dockerDown = true;
  now.minute = 100;
  t.match(await now.reconciler.pass(signal()), { waiting: { 'docker-unreachable': 2 }, failed: 0 });
  now.minute = 200;
  await now.reconciler.pass(signal());
  t.same(now.freed, []);
});

t.test('a release that fails or comes too late is counted and tried again', async (t) => {
  const now = world();
  now.minute = 2;
  await now.reconciler.pass(signal());
  now.minute = 12;
  now.outcome = new Fault('unavailable', 'the store is down');
  t.match(await now.reconciler.pass(signal()), { freed: [], failed: 2 });
  now.outcome = 'changed';
  t.match(await now.reconciler.pass(signal()), { freed: [], failed: 2 });
  now.outcome = 'freed';
  t.match(await now.reconciler.pass(signal()), { failed: 0 });
  t.same(now.freed.slice(-2), ['10.0.0.1', 'fd00::1']);
});

t.test('reclaim off frees nothing', async (t) => {
  const now = world('off');
  for (const minute of [2, 12, 30]) {
    now.minute = minute;
    t.match(await now.reconciler.pass(signal()), { waiting: { 'reclaim-off': 2 } });
  }
  t.same(now.freed, []);
});

t.test('passes go on after a failed one, until they are called off', async (t) => {
  const now = world();
  const stop = new AbortController();
  let broken = true;
  const candidates = now.candidates;
  Object.defineProperty(now, 'candidates', {
    get: () => {
      if (broken) throw new Fault('unavailable', 'the store is down');
      return candidates;
    },
  });
  const running = now.reconciler.run(stop.signal);
  broken = false;
  await until(() => now.reconciler.report() !== undefined, 'a pass');
  stop.abort();
  await running;
  t.match(now.reconciler.report()?.waiting, { 'first-minute': 2 });
});
