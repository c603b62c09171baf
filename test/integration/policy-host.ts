import t, { type Test } from 'tap';
import { attachOutside, packetsOf } from '../fixtures/agent-host.js';
import { policyWorld, putStored, SERVER, type Stored } from '../fixtures/policy-world.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { startStation, type Probe, type Station } from '../fixtures/traffic-probe.js';

const HOST = '192.0.2.1';
const HOST6 = '2001:db8::1';
const OUTSIDE = '192.0.2.2';
const [SERVER4] = SERVER;
const NO_PROFILE = 'no profile matched';

const tcp = (to: string, port: number): Probe => ({ kind: 'tcp', to, port });
const TO_HOST = [22, 80, 443].map((port) => tcp(HOST, port));
const OWN = { node: 'node1', interfaceName: 'eth0' };
const edge = (labels: Record<string, string>, spec: object): Stored => ({
  ...{ kind: 'HostEndpoint', name: 'edge', labels },
  spec: { ...OWN, ...spec },
});

await inPrivateNamespace(import.meta.url, () => {
  t.test('a host with a host endpoint', async (t) => {
    const outside = await attachOutside(t);
    const { store, host, client, apply } = await policyWorld(t);
    const { nft } = host;
    outside.run('ip', 'route', 'add', '10.20.0.0/16', 'via', HOST);
    const world = await startStation(t, outside, [53, 80, 443, 2379]);
    const own = await startStation(t, { path: '/proc/self/ns/net' }, [22, 80, 443]);
    const put = (stored: Stored): Promise<void> =>
      apply(() => {
        putStored(store, stored);
      });
    const policy = (name: string, spec: object): Promise<void> =>
      put({ kind: 'GlobalNetworkPolicy', name, spec: { selector: "role == 'edge'", ...spec } });
    const remove = (plural: string, name: string): Promise<void> =>
      apply(() => store.delete(`/calico/resources/v3/projectcalico.org/${plural}/${name}`));
    const ask = async (from: Station, probes: readonly Probe[], expected: readonly boolean[]) =>
      from.ask(probes.map((probe, at) => ({ probe, waitMs: expected[at] === true ? 5000 : 300 })));
    const ports = async (t: Test, expected: Record<number, boolean>): Promise<void> => {
      const probes = Object.keys(expected).map((port) => tcp(HOST, Number(port)));
      t.same(await ask(world, probes, Object.values(expected)), Object.values(expected));
    };
    const containers = async (t: Test, what: string): Promise<void> => {
      const outward = [tcp(HOST, 80), tcp(OUTSIDE, 80), tcp(SERVER4, 80)];
      t.same(await ask(client.station, outward, [true, true, true]), [true, true, true], what);
      t.same(await ask(own, [tcp(SERVER4, 80)], [true]), [true], `${what}: from their host`);
    };

    await t.test('without policy and profile it shuts all but the failsafe ports', async (t) => {
      t.same(await ask(world, TO_HOST, [true, true, true]), [true, true, true], 'open before');
      await put(edge({ role: 'edge' }, {}));
      const before = await packetsOf(nft, NO_PROFILE);
      t.same(await ask(world, TO_HOST, [true, false, false]), [true, false, false]);
      t.ok((await packetsOf(nft, NO_PROFILE)) >= before + 2);
      const out = [tcp(OUTSIDE, 2379), tcp(OUTSIDE, 80)];
      t.same(await ask(own, out, [true, false]), [true, false], 'outwards too');
      const udp: Probe = { kind: 'udp', to: OUTSIDE, port: 53 };
      t.same(await ask(own, [udp], [true]), [true], 'DNS is failsafe outwards');
      const six = [22, 80].map((port) => tcp(HOST6, port));
      outside.run('ip', '-6', 'neigh', 'flush', 'all');
      t.same(await ask(world, six, [true, false]), [true, false], 'IPv6, neighbours found');
      await containers(t, 'containers are not its business');
      t.same(await ask(world, [tcp(SERVER4, 80)], [true]), [true], 'nor is forwarding');
    });

    await t.test('a policy opens what it allows', async (t) => {
      const allow = { action: 'Allow', protocol: 'TCP', destination: { ports: [80] } };
      await policy('open', { types: ['Ingress'], ingress: [allow] });
      await ports(t, { 22: true, 80: true, 443: false });
      t.same(await ask(own, [tcp(OUTSIDE, 80)], [false]), [false], 'of one direction only');
      await policy('open', { types: ['Ingress', 'Egress'], ingress: [allow], egress: [allow] });
      t.same(await ask(own, [tcp(OUTSIDE, 80), tcp(OUTSIDE, 443)], [true, false]), [true, false]);
      await remove('globalnetworkpolicies', 'open');
    });

    await t.test('a profile decides when no policy applies', async (t) => {
      await put(edge({ role: 'edge' }, { profiles: ['open'] }));
      await ports(t, { 22: true, 80: true, 443: true });
      await put(edge({ role: 'edge' }, { profiles: ['gone'] }));
      await ports(t, { 22: true, 80: false, 443: false });
      await put(edge({ role: 'edge' }, { profiles: ['open'] }));
    });

    await t.test('what comes to be forbidden is ended, but for the failsafe ports', async (t) => {
      const before = host.agent.status().policy.connectionsEnded;
      const ended = (): number => host.agent.status().policy.connectionsEnded - before;
      t.ok((await world.open(HOST, 22)) && (await world.speak(5000)));
      t.ok((await own.open(OUTSIDE, 443)) && (await own.speak(5000)));
      const other = await startStation(t, outside);
      t.ok((await other.open(HOST, 80)) && (await other.speak(5000)));
      const deny = { action: 'Deny', protocol: 'TCP', destination: { ports: [22, 80] } };
      await policy('close', { types: ['Ingress'], ingress: [deny, ALLOW] });
      t.ok(ended() >= 1);
      t.notOk(await other.speak(500), 'also when the host goes on speaking');
      t.ok(await world.speak(5000), 'the failsafe port');
      t.ok(await own.speak(5000), 'the other direction');
      await policy('close', { types: ['Egress'], egress: [{ action: 'Deny' }] });
      t.notOk(await own.speak(500));
      t.ok(await world.speak(5000));
      await remove('globalnetworkpolicies', 'close');
    });

    await t.test('applyOnForward', async (t) => {
      const deny = { action: 'Deny', protocol: 'TCP', destination: { ports: [80] } };
      const through = { applyOnForward: true, order: 1 };
      await policy('forward', { ...through, types: ['Ingress'], ingress: [deny, ALLOW] });
      const rule = 'policy forward ingress rule 1';
      const before = await packetsOf(nft, rule);
      const [web, other] = [tcp(SERVER4, 80), tcp(SERVER4, 443)];
      t.same(await ask(world, [web, other], [false, true]), [false, true], 'inwards');
      t.ok((await packetsOf(nft, rule)) > before);
      await ports(t, { 80: false, 443: true });
      await containers(t, 'what does not pass the interface from outside');
      await policy('forward', { ...through, types: ['Egress'], egress: [deny, ALLOW] });
      const out = [tcp(OUTSIDE, 80), tcp(OUTSIDE, 443), tcp(SERVER4, 80)];
      t.same(await ask(client.station, out, [false, true, true]), [false, true, true], 'outwards');
      t.same(await ask(world, [web], [true]), [true], 'the other direction is free');
      await remove('globalnetworkpolicies', 'forward');
    });

    await t.test('preDNAT sees the port before it is translated', async (t) => {
      run('nft', 'add', 'table', 'ip', 'publish');
      const chain = '{ type nat hook prerouting priority dstnat; }';
      run('nft', 'add', 'chain', 'ip', 'publish', 'pre', chain);
      const rule = `ip daddr ${HOST} tcp dport 8888 dnat to ${SERVER4}:80`;
      run('nft', 'add', 'rule', 'ip', 'publish', 'pre', ...rule.split(' '));
      const published = tcp(HOST, 8888);
      t.same(await ask(world, [published], [true]), [true], 'published');
      const early = { preDNAT: true, applyOnForward: true, types: ['Ingress'] };
      const deny = { action: 'Deny', protocol: 'TCP', destination: { ports: [8888, 22] } };
      await policy('early', { ...early, ingress: [deny] });
      t.same(await ask(world, [published, tcp(SERVER4, 80)], [false, true]), [false, true]);
      await ports(t, { 22: true, 80: true });
      t.same(await ask(client.station, [tcp(HOST, 80)], [true]), [true], 'not from containers');
      // What it allows skips the later policies of the host endpoint.
      await policy('never', { types: ['Ingress'], order: 5, ingress: [{ action: 'Deny' }] });
      await ports(t, { 443: false });
      const allow = { action: 'Allow', protocol: 'TCP', destination: { ports: [443] } };
      await policy('early', { ...early, ingress: [allow] });
      await ports(t, { 443: true, 80: false });
      await remove('globalnetworkpolicies', 'never');
      await remove('globalnetworkpolicies', 'early');
      run('nft', 'delete', 'table', 'ip', 'publish');
    });

    await t.test(
      'doNotTrack: both directions are to be allowed, and nothing is tracked',
      async (t) => {
        await put(edge({ role: 'edge' }, {}));
        await ports(t, { 80: false });
        const raw = { doNotTrack: true, applyOnForward: true };
        const allow = { action: 'Allow', protocol: 'TCP', destination: { ports: [80] } };
        const answer = { action: 'Allow', protocol: 'TCP', source: { ports: [80] } };
        await policy('raw', { ...raw, types: ['Ingress', 'Egress'], ingress: [allow] });
        await ports(t, { 80: false });
        await policy('raw', {
          ...{ ...raw, types: ['Ingress', 'Egress'], ingress: [allow], egress: [answer] },
        });
        run('conntrack', '-F');
        await ports(t, { 22: true, 80: true, 443: false });
        const tracked = run('conntrack', '-L', '-p', 'tcp');
        t.notMatch(tracked, 'dport=80');
        t.match(tracked, 'dport=22', 'failsafe ports are tracked');
        await policy('raw', { ...raw, types: ['Ingress'], ingress: [{ action: 'Deny' }] });
        await ports(t, { 22: true, 80: false });
        await remove('globalnetworkpolicies', 'raw');
      },
    );

    await t.test('found by an address that it expects, and for all interfaces', async (t) => {
      const expecting = { interfaceName: undefined, expectedIPs: ['198.51.100.1', HOST] };
      await put(edge({}, { ...expecting, profiles: ['open'] }));
      await ports(t, { 80: true });
      await put(edge({}, expecting));
      await ports(t, { 22: true, 80: false });
      await apply(() => run('ip', 'addr', 'del', `${HOST}/24`, 'dev', 'eth0'));
      t.match(host.agent.status().decisions, [{ reason: 'host-endpoint-unused', subject: 'edge' }]);
      await apply(() => run('ip', 'addr', 'add', `${HOST}/24`, 'dev', 'eth0'));
      await ports(t, { 22: true, 80: false });
      await put(edge({}, { interfaceName: '*', profiles: ['open'] }));
      await ports(t, { 80: true });
      await put(edge({ role: 'edge' }, { interfaceName: '*' }));
      await ports(t, { 22: true, 80: false });
      await containers(t, 'an endpoint of all interfaces does not mean containers');
      t.same(await ask(own, [tcp('127.0.0.1', 80)], [true]), [true], 'nor lo');
      const allow = { action: 'Allow', protocol: 'TCP', destination: { ports: [80] } };
      await policy('open', { types: ['Ingress'], ingress: [allow] });
      await ports(t, { 80: true, 443: false });
    });

    await t.test('without host endpoints the host is as before', async (t) => {
      await remove('hostendpoints', 'edge');
      t.same(await ask(world, TO_HOST, [true, true, true]), [true, true, true]);
      t.notMatch(run('nft', 'list', 'table', 'inet', 'calico-libnetwork'), 'hep-');
    });
  });

  for (const [endpointToHost, reaches] of [
    ['Drop', false],
    ['Accept', true],
  ] as const) {
    t.test(`containers and their own host: ${endpointToHost}`, async (t) => {
      const { client, host } = await policyWorld(t, { settings: { host: { endpointToHost } } });
      run('ip', 'addr', 'add', '198.51.100.7/32', 'dev', 'lo');
      t.teardown(() => run('ip', 'addr', 'del', '198.51.100.7/32', 'dev', 'lo'));
      await startStation(t, { path: '/proc/self/ns/net' }, [80]);
      const probe = tcp('198.51.100.7', 80);
      t.same(await client.station.ask([{ probe, waitMs: reaches ? 5000 : 300 }]), [reaches]);
      t.same(await client.station.ask([{ probe: tcp(SERVER4, 80), waitMs: 5000 }]), [true]);
      await host.stop();
    });
  }
});

const ALLOW = { action: 'Allow' };
