// Fills the etcd of a lab host: a cluster with many endpoints and policies, as policy-start.ts describes it.
//
//   policy-populate.ts ENDPOINT NODE LOCAL REMOTE POLICIES
import { setTimeout as delay } from 'node:timers/promises';
import { isFault, silentLog } from '../src/base/index.js';
import { createEtcdStore } from '../src/datastore/etcd/index.js';
import { affinityKey, resourceKey, type Write } from '../src/datastore/index.js';
import { Address, Cidr, workloadEndpointName, type WorkloadEndpoint } from '../src/model/index.js';
import { encodeProfile, encodeWorkloadEndpoint } from '../src/model/v3/index.js';
import { profile } from '../test/fixtures/agent-facts.js';
import { poolText } from '../test/fixtures/stored-objects.js';
import { APPS, ROLES, RULES, interfaceOf } from './policy-cluster.js';

const [, , endpoint = '', node = '', ...counts] = process.argv;
const [locals = 0, remotes = 0, policies = 0] = counts.map(Number);
const identity = { uid: 'uid', createdAt: new Date(0) };
/** etcd takes 128 in one transaction. */
const AT_ONCE = 100;
const REMOTE_NODES = 50;
const remoteNode = (at: number): string => `remote${at % REMOTE_NODES}`;

function workload(name: string, on: string, address: string, labels: object): Write {
  const full: WorkloadEndpoint = {
    ...{ namespace: 'default', name: workloadEndpointName(on, name), node: on, endpoint: name },
    ...{ orchestrator: 'libnetwork', workload: 'libnetwork', containerId: '', mac: '', ports: [] },
    ...{
      interfaceName: interfaceOf(name),
      addresses: [Address.parse(address)],
      profiles: ['open'],
    },
    ...{ labels: { ...labels }, allowSpoofedSourcePrefixes: [] },
  };
  const key = resourceKey('workloadendpoints', full.name, full.namespace);
  return { key, value: encodeWorkloadEndpoint(full, identity) };
}

function policy(at: number): Write {
  const ingress = Array.from({ length: RULES }, (_, rule) => ({
    ...{ action: 'Allow', protocol: 'TCP', destination: { ports: [1000 + rule] } },
    source: { selector: `role == 'role${(at * RULES + rule) % ROLES}'` },
  }));
  const spec = { selector: `app == 'app${at % APPS}'`, types: ['Ingress'], order: at, ingress };
  const metadata = { name: `p${at}`, uid: 'u', creationTimestamp: '2026-08-01T10:00:00Z' };
  const kind = { kind: 'GlobalNetworkPolicy', apiVersion: 'projectcalico.org/v3' };
  const key = resourceKey('globalnetworkpolicies', `p${at}`);
  return { key, value: JSON.stringify({ ...kind, metadata, spec }) };
}

function* everything(): Generator<Write> {
  const open = profile('open', [{ action: 'Allow' }], [{ action: 'Allow' }]);
  yield { key: resourceKey('profiles', 'open'), value: encodeProfile(open, identity) };
  yield { key: resourceKey('ippools', 'all'), value: poolText('all', '10.0.0.0/8', {}) };
  for (let at = 0; at < policies; at += 1) yield policy(at);
  yield* hosts();
  const address = (second: number, at: number): string =>
    `10.${second + (at >> 16)}.${(at >> 8) & 255}.${at & 255}`;
  for (let at = 0; at < locals; at += 1) {
    const labels = { app: `app${at % APPS}`, role: `role${at % ROLES}` };
    yield workload(`x${at}`, node, address(20, at), labels);
  }
  for (let at = 0; at < remotes; at += 1) {
    const labels = { role: `role${at % ROLES}` };
    yield workload(`far${at}`, remoteNode(at >> 6), address(30, at), labels);
  }
}

/** Endpoints of a block are on the host that has it, as those that a Calico gives addresses to are. */
function* hosts(): Generator<Write> {
  for (let at = 0; at < REMOTE_NODES; at += 1) {
    const name = remoteNode(at);
    const metadata = { name, uid: `uid-${name}`, creationTimestamp: '2026-08-01T10:00:00Z' };
    const spec = { bgp: { ipv4Address: `198.51.100.${at + 1}/24` } };
    const value = { kind: 'Node', apiVersion: 'projectcalico.org/v3', metadata, spec };
    yield { key: resourceKey('nodes', name), value: JSON.stringify(value) };
  }
  const confirmed = JSON.stringify({ state: 'confirmed', deleted: 'false' });
  const block = (second: number, at: number): Cidr =>
    Cidr.parse(`10.${second + (at >> 10)}.${(at >> 2) & 255}.${(at & 3) << 6}/26`);
  for (let at = 0; at << 6 < locals; at += 1) {
    yield { key: affinityKey(node, block(20, at)), value: confirmed };
  }
  for (let at = 0; at << 6 < remotes; at += 1) {
    yield { key: affinityKey(remoteNode(at), block(30, at)), value: confirmed };
  }
}

// A connection that is being made does not keep the process.
const alive = setInterval(() => undefined, 60_000);
const store = createEtcdStore({ endpoints: [endpoint], log: silentLog });
const batches: Write[][] = [[]];
for (const write of everything()) {
  if ((batches.at(-1)?.length ?? 0) >= AT_ONCE) batches.push([]);
  batches.at(-1)?.push(write);
}
/** Put twice is put once: a busy or starting etcd is asked again. */
async function put(writes: readonly Write[]): Promise<void> {
  const end = performance.now() + 60_000;
  for (;;) {
    try {
      await store.commit({ compares: [], writes });
      return;
    } catch (error) {
      if (!isFault(error, 'unavailable', 'timeout', 'outcome-unknown')) throw error;
      if (performance.now() > end) throw error;
      await delay(100);
    }
  }
}

const worker = async (): Promise<void> => {
  for (let writes = batches.pop(); writes !== undefined; writes = batches.pop()) {
    await put(writes);
  }
};
await Promise.all(Array.from({ length: 8 }, worker));
await store.close();
clearInterval(alive);
