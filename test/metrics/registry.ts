import t from 'tap';
import { createMetrics } from '../../src/metrics/index.js';
import { faultOf } from '../fixtures/fault-of.js';

t.test('series with and without labels, in the text format', async (t) => {
  const metrics = createMetrics();
  const spec = { room: 'ipam', help: 'x' } as const;
  const claims = metrics.counter({ ...spec, what: 'claims', unit: 'total', labels: ['result'] });
  const plain = metrics.counter({ ...spec, what: 'starts', unit: 'total' });
  const free = metrics.gauge({ ...spec, what: 'free_addresses', unit: 'count' });
  const time = metrics.histogram(
    { ...spec, what: 'claim', unit: 'seconds', labels: ['result'] },
    [0.1, 1],
  );
  let reads = 0;
  metrics.readGauge({ ...spec, what: 'reads', unit: 'count' }, () => (reads += 1));
  let matched = 5;
  metrics.readCounter({ ...spec, what: 'matched', unit: 'total', labels: ['policy'] }, async () =>
    (matched -= 1) === 3
      ? [{ labels: { policy: 'web' }, value: matched }]
      : [{ labels: { policy: 'db' }, value: matched }],
  );
  claims.add(2, { result: 'ok' });
  plain.add(1);
  free.set(-3);
  time.observe(0.5, { result: 'ok' });
  t.match((await metrics.render()).body, 'calico_libnetwork_ipam_matched_total{policy="db"} 4\n');
  const { body, contentType } = await metrics.render();
  t.match(contentType, 'text/plain');
  for (const line of [
    'calico_libnetwork_ipam_claims_total{result="ok"} 2',
    'calico_libnetwork_ipam_starts_total 1',
    'calico_libnetwork_ipam_free_addresses_count -3',
    'calico_libnetwork_ipam_claim_seconds_bucket{le="0.1",result="ok"} 0',
    'calico_libnetwork_ipam_claim_seconds_bucket{le="1",result="ok"} 1',
    'calico_libnetwork_ipam_claim_seconds_sum{result="ok"} 0.5',
    'calico_libnetwork_ipam_reads_count 2',
    'calico_libnetwork_ipam_matched_total{policy="web"} 3',
  ]) {
    t.ok(body.includes(`${line}\n`), line);
  }
  t.notMatch(body, 'policy="db"', 'what is no more read is no more shown');
  t.notMatch(body, 'process_');
  await metrics.includeProcess();
  t.match((await metrics.render()).body, 'process_resident_memory_bytes');
});

t.test('registries do not know each other; a name is declared once and well formed', async (t) => {
  const spec = { room: 'ipam', what: 'claims', unit: 'total', help: 'x' } as const;
  const [one, two] = [createMetrics(), createMetrics()];
  one.counter(spec).add(1);
  two.counter(spec);
  t.match((await two.render()).body, 'claims_total 0');
  t.equal((await faultOf(() => one.counter(spec))).kind, 'internal');
  t.equal((await faultOf(() => one.gauge({ ...spec, what: 'freeAddresses' }))).kind, 'internal');
});
