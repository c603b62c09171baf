import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Fault, silentLog } from '../../src/base/index.js';
import { main } from '../../src/cli/main.js';
import { openStore } from '../../src/cli/stores.js';
import type { Io } from '../../src/cli/io.js';
import { createEtcdStore } from '../../src/datastore/etcd/index.js';
import { decodeIpPool, decodeNode, decodeWorkloadEndpoint } from '../../src/model/v3/index.js';
import { startEtcd } from '../fixtures/etcd-server.js';
import {
  peerScenarios,
  runScenario,
  wordsOf,
  type PeerResult,
  type PeerRunner,
} from '../fixtures/peer-scenarios.js';
import { realCalicoctl, RECORDED } from '../fixtures/record-peer-results.js';

const server = await startEtcd();
t.teardown(() => server.close());
const PEERS = process.env['PEERS'];
const hasPeer = PEERS !== undefined && existsSync(join(PEERS, 'calicoctl'));
const recorded = JSON.parse(readFileSync(RECORDED, 'utf8')) as Record<string, PeerResult>;

const NO_DAEMON = new Fault('unavailable', 'no daemon runs here');

const ours: PeerRunner = async (command, folder) => {
  const inputs = {
    env: { ETCD_ENDPOINTS: server.endpoints.join(',') },
    readFile: () => undefined,
    osHostname: 'host',
  };
  let out = '';
  let uids = 0;
  const io: Io = {
    out: (text) => void (out += text),
    err: () => undefined,
    columns: 100,
    files: {
      readText: async (path) => readFile(join(folder, path), 'utf8'),
      listManifests: async () => undefined,
      readStdin: async () => '',
      exists: () => false,
    },
    inputs,
    now: () => new Date(),
    newUid: () => `00000000-0000-4000-8000-${String((uids += 1)).padStart(12, '0')}`,
    poolGraceMs: 0,
    openStore: async (options) => openStore(inputs, options),
    readStatus: async () => undefined,
    readCounters: () => Promise.reject(NO_DAEMON),
    readFlows: () => Promise.reject(NO_DAEMON),
    containers: {
      add: () => Promise.reject(NO_DAEMON),
      remove: () => Promise.reject(NO_DAEMON),
    },
    showProtocols: async () => [],
  };
  return { status: await main(wordsOf(command), io), out };
};

for (const scenario of peerScenarios) {
  t.test(`as the real calicoctl: ${scenario.name}`, async (t) => {
    const expected = recorded[scenario.name];
    t.ok(expected, 'recorded');
    const result = await runScenario(scenario, server, ours);
    for (const [at, step] of result.steps.entries()) {
      const wanted = expected?.steps[at];
      t.equal(step.status, wanted?.status, `status of ${step.command}`);
      t.equal(step.out, wanted?.out, step.command);
    }
    t.same(result.stored, expected?.stored, 'what is stored');
  });
}

const skip = hasPeer
  ? false
  : 'PEERS names no folder with the real calicoctl: only recorded results were compared';

t.test('the record is what the real calicoctl does', { skip }, async (t) => {
  for (const scenario of peerScenarios) {
    const run = realCalicoctl(PEERS ?? '', server);
    t.same(await runScenario(scenario, server, run), recorded[scenario.name], scenario.name);
  }
});

t.test('each reads and changes what the other made', { skip }, async (t) => {
  const [scenario] = peerScenarios;
  if (scenario === undefined) throw new Error('no scenario');
  const real = realCalicoctl(PEERS ?? '', server);
  const store = createEtcdStore({ endpoints: server.endpoints, log: silentLog });
  t.teardown(() => store.close());
  const shows = scenario.commands.filter(
    (each) => each.startsWith('get ') && !each.includes(' -f '),
  );
  const changes = [
    `patch node node1 -p '{"spec":{"bgp":{"asNumber":64000}}}'`,
    'label node node2 a=b',
    `patch ippool cross -p '{"spec":{"natOutgoing":false}}'`,
    `delete ippool manual`,
  ];
  for (const [maker, other, who] of [
    [ours, real, 'we make, it reads'],
    [real, ours, 'it makes, we read'],
  ] as const) {
    const creates = scenario.commands.filter((each) => each.startsWith('create '));
    await runScenario({ ...scenario, commands: creates }, server, maker);
    for (const command of shows) {
      const [a, b] = [await maker(command, ''), await other(command, '')];
      t.same({ ...b, out: b.out.trimEnd() }, { ...a, out: a.out.trimEnd() }, `${who}: ${command}`);
    }
    for (const command of changes)
      t.equal((await other(command, '')).status, 0, `${who}: ${command}`);
    const base = '/calico/resources/v3/projectcalico.org';
    const text = async (path: string): Promise<string> =>
      (await store.get(`${base}/${path}`))?.value ?? '';
    t.equal(decodeNode(await text('nodes/node1')).asNumber, 64_000, who);
    t.equal(decodeNode(await text('nodes/node2')).labels['a'], 'b', who);
    t.equal(decodeIpPool(await text('ippools/cross')).natOutgoing, false, who);
    t.equal(await text('ippools/manual'), '', who);
    const endpoint = 'workloadendpoints/prod/host--a-libnetwork-libnetwork-b1f2c3';
    t.equal(String(decodeWorkloadEndpoint(await text(endpoint)).addresses), '10.21.3.65', who);
  }
});

t.test('each reads and changes policies that the other made', { skip }, async (t) => {
  const scenario = peerScenarios.find(({ files }) => 'policies.yaml' in files);
  if (scenario === undefined) throw new Error('no scenario');
  const real = realCalicoctl(PEERS ?? '', server);
  const changes = [
    `patch gnp net.one -p '{"spec":{"order":7}}'`,
    'label np n1 a=b',
    'delete gnp big',
    'delete stagednetworkpolicies s1',
    'delete tier late',
    `patch hep h2 -p '{"spec":{"profiles":["a"]}}'`,
  ];
  for (const [maker, other, who] of [
    [ours, real, 'we make, it reads'],
    [real, ours, 'it makes, we read'],
  ] as const) {
    const creates = scenario.commands.filter((each) => each.startsWith('create '));
    await runScenario({ ...scenario, commands: creates }, server, maker);
    const shows = scenario.commands.filter((each) => each.startsWith('get '));
    const compare = async (when: string): Promise<void> => {
      for (const command of shows) {
        const [a, b] = [await maker(command, ''), await other(command, '')];
        t.same({ ...b, out: b.out.trimEnd() }, { ...a, out: a.out.trimEnd() }, `${when}${command}`);
      }
    };
    await compare(`${who}: `);
    for (const command of changes) {
      t.equal((await other(command, '')).status, 0, `${who}: ${command}`);
    }
    await compare(`${who}, changed: `);
  }
});

t.test('an etcd that is not there is told within the bound', async (t) => {
  await server.stop();
  const started = performance.now();
  const { status } = await ours('get nodes', '');
  t.equal(status, 1);
  t.ok(performance.now() - started < 12_000);
});
