import fc from 'fast-check';
import t from 'tap';
import { Address } from '../../src/model/index.js';
import {
  findLeftovers,
  isOwnHandle,
  judge,
  notYetReasons,
  type Candidate,
  type Evidence,
  type Sightings,
} from '../../src/reconcile/index.js';

const MINUTE = 60_000;
const UUID = 'aaaaaaaa-0000-4000-8000-000000000001';
const HANDLE = `docker.node1.${'0123456789abcdef'.repeat(2)}`;

const candidate: Candidate = {
  id: '10.0.0.5',
  handle: HANDLE,
  node: 'node1',
  hostUuid: UUID,
  revision: 7n,
  addresses: [Address.parse('10.0.0.5')],
  endpointId: 'e1',
  interfaceName: 'cali1',
  claimedAt: 0,
  kept: false,
};

const evidence: Evidence = {
  reclaim: 'on',
  node: 'node1',
  hostUuid: UUID,
  holdsNodeName: true,
  docker: { engineId: 'E', networkIds: new Set(), endpointIds: new Set(), addresses: new Set() },
  recordedEngineId: 'E',
  kernel: {
    interfaceNames: new Set(['eth0']),
    routedAddresses: new Set(),
    liveNamespaces: new Set(),
  },
  at: 100 * MINUTE,
  startedAt: 0,
  now: 100 * MINUTE,
  minimumAge: 10 * MINUTE,
};
const docker = evidence.docker ?? {
  engineId: '',
  networkIds: new Set<string>(),
  endpointIds: new Set<string>(),
  addresses: new Set<string>(),
};
const earlier = { revision: 7n, at: 90 * MINUTE };

const verdict = (
  change: Partial<Candidate>,
  facts: Partial<Evidence> = {},
  before = earlier,
): string => {
  const result = judge({ ...candidate, ...change }, { ...evidence, ...facts }, before);
  return result.free ? 'free' : result.reason;
};

t.test('with every clause fulfilled it is free', async (t) => {
  t.equal(verdict({}), 'free');
});

t.test('each clause alone keeps it, with its own reason', async (t) => {
  const kernel = evidence.kernel;
  const cases: readonly (readonly [string, Partial<Candidate>, Partial<Evidence>])[] = [
    ['reclaim-off', {}, { reclaim: 'off' }],
    ['not-ours', { handle: 'docker-pool.p.1.2' }, {}],
    ['not-ours', { handle: 'ipip-tunnel-addr-node1' }, {}],
    ['not-ours', { handle: HANDLE.replace('node1', 'node2') }, {}],
    ['other-host', { hostUuid: 'b' }, {}],
    ['other-host', { node: 'node2' }, {}],
    ['kept', { kept: true }, {}],
    ['not-held', {}, { holdsNodeName: false }],
    ['docker-unreachable', {}, { docker: undefined }],
    ['other-engine', {}, { recordedEngineId: 'F' }],
    ['other-engine', {}, { recordedEngineId: undefined }],
    ['first-minute', {}, { startedAt: 100 * MINUTE - 59_999 }],
    ['too-young', { claimedAt: 91 * MINUTE }, {}],
    ['live-endpoint', {}, { docker: { ...docker, endpointIds: new Set(['e1']) } }],
    ['live-network', { networkId: 'n1' }, { docker: { ...docker, networkIds: new Set(['n1']) } }],
    ['live-endpoint', {}, { docker: { ...docker, addresses: new Set(['10.0.0.5']) } }],
    ['interface-exists', {}, { kernel: { ...kernel, interfaceNames: new Set(['cali1']) } }],
    ['interface-exists', {}, { kernel: { ...kernel, routedAddresses: new Set(['10.0.0.5']) } }],
    ['namespace-exists', {}, { kernel: { ...kernel, liveNamespaces: new Set(['e1']) } }],
  ];
  for (const [reason, change, facts] of cases) t.equal(verdict(change, facts), reason, reason);
  t.equal(verdict({}, {}, { ...earlier, revision: 6n }), 'seen-once', 'used again since');
  t.equal(verdict({}, {}, { ...earlier, at: 90 * MINUTE + 1 }), 'seen-once', 'too soon');
  t.same(judge(candidate, evidence, undefined).free, false);
  const covered = new Set([...cases.map(([reason]) => reason), 'seen-once']);
  t.same(
    notYetReasons.filter((reason) => !covered.has(reason)),
    [],
    'every reason has its case',
  );
});

t.test('what is unknown never counts as proof', async (t) => {
  const { hostUuid: _uuid, ...anonymous } = candidate;
  const result = judge(anonymous, evidence, earlier);
  t.match(result, { free: false, reason: 'other-host', message: /machine unknown/ });
  const { handle: _handle, ...bare } = candidate;
  t.equal(
    judge({ ...bare, id: 'e1' }, evidence, earlier).free,
    true,
    'an endpoint without address, of this machine',
  );
  t.match(judge({ ...bare, hostUuid: 'b' }, evidence, earlier), { reason: 'other-host' });
});

t.test(
  'an address without an endpoint is judged by address alone; a clock set back is no hindrance',
  async (t) => {
    const { endpointId: _endpoint, interfaceName: _name, ...unbound } = candidate;
    t.equal(judge(unbound, evidence, earlier).free, true);
    t.match(
      judge(
        unbound,
        { ...evidence, docker: { ...docker, addresses: new Set(['10.0.0.5']) } },
        earlier,
      ),
      { reason: 'live-endpoint' },
    );
    t.equal(
      verdict({ claimedAt: 200 * MINUTE }),
      'free',
      'claimed in the future: the clock was set back',
    );
    const { claimedAt: _at, ...undated } = candidate;
    t.equal(judge(undated, evidence, earlier).free, true, 'the two looks are enough');
  },
);

t.test('handles of ours have one form', async (t) => {
  t.ok(isOwnHandle(HANDLE, 'node1'));
  for (const handle of [
    '',
    'docker.node1.',
    `${HANDLE}0`,
    HANDLE.slice(0, -1),
    HANDLE.toUpperCase(),
    `docker-pool.${HANDLE}`,
    `docker.node1.x.${'0'.repeat(32)}`,
  ]) {
    t.notOk(isOwnHandle(handle, 'node1'), handle);
  }
  t.notOk(isOwnHandle(`docker.a.b.${'0'.repeat(32)}`, 'a'), 'node a is not node a.b');
  t.ok(isOwnHandle(`docker.a.b.${'0'.repeat(32)}`, 'a.b'));
});

t.test('it takes two looks, far enough apart, with nothing between', async (t) => {
  let sightings: Sightings = new Map();
  const look = (
    minute: number,
    change: Partial<Candidate> = {},
    facts: Partial<Evidence> = {},
  ): string => {
    const at = minute * MINUTE;
    const findings = findLeftovers(
      [{ ...candidate, ...change }],
      { ...evidence, at, now: at, ...facts },
      sightings,
    );
    sightings = findings.sightings;
    return findings.free.length === 1 ? 'free' : (findings.waiting[0]?.reason ?? 'none');
  };
  t.equal(look(20), 'seen-once');
  t.equal(look(25), 'seen-once');
  t.equal(look(29, {}, { docker: undefined }), 'docker-unreachable');
  t.equal(look(30), 'free', 'Docker away for a while does not start it anew');
  t.equal(look(31), 'free', 'and a release that failed is tried again');

  t.equal(look(32, {}, { docker: { ...docker, endpointIds: new Set(['e1']) } }), 'live-endpoint');
  t.equal(look(33), 'seen-once', 'a sign of life starts it anew');
  t.equal(look(44, { revision: 8n }), 'seen-once', 'so does another revision');
  t.equal(look(53, { revision: 8n }), 'seen-once');
  t.equal(look(54, { revision: 8n }, { docker: { ...docker, engineId: 'F' } }), 'other-engine');
  t.equal(look(55, { revision: 8n }), 'seen-once', 'and another engine');

  findLeftovers([], evidence, sightings);
  sightings = findLeftovers([], evidence, sightings).sightings;
  t.equal(sightings.size, 0, 'what is gone from the store is forgotten');
});

t.test(
  'whatever happens, nothing alive is freed, and nothing sooner than the minimum age',
  async () => {
    const step = fc.record({
      minutes: fc.integer({ min: 0, max: 15 }),
      alive: fc.boolean(),
      reachable: fc.boolean(),
      engine: fc.constantFrom('E', 'F'),
      used: fc.boolean(),
      held: fc.boolean(),
      startedNow: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        let sightings: Sightings = new Map();
        let minute = 20;
        let revision = 1n;
        let startedAt = 0;
        let idleSince = minute;
        for (const one of steps) {
          minute += one.minutes;
          const at = minute * MINUTE;
          if (one.used) revision += 1n;
          // Life that Docker cannot be asked about is seen in the kernel; here only Docker tells of it.
          if (one.used || (one.alive && one.reachable)) idleSince = minute;
          if (one.startedNow) {
            startedAt = at;
            sightings = new Map();
          }
          const endpointIds = new Set(one.alive ? ['e1'] : []);
          const findings = findLeftovers(
            [{ ...candidate, revision }],
            {
              ...evidence,
              at,
              now: at,
              startedAt,
              holdsNodeName: one.held,
              docker: one.reachable ? { ...docker, engineId: one.engine, endpointIds } : undefined,
            },
            sightings,
          );
          sightings = findings.sightings;
          const free = findings.free.length > 0;
          if (free && (one.alive || !one.reachable || !one.held || one.engine !== 'E'))
            return false;
          if (free && (minute - idleSince < 10 || at - startedAt < 10 * MINUTE)) return false;
        }
        return true;
      }),
      { numRuns: 2_000 },
    );
  },
);
