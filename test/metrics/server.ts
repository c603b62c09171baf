import t from 'tap';
import { silentLog } from '../../src/base/index.js';
import { createMetrics, createMetricsServer, type Readiness } from '../../src/metrics/index.js';
import { faultOf } from '../fixtures/fault-of.js';

t.test('metrics, live and ready on loopback', async (t) => {
  const registry = createMetrics();
  let live = true;
  let readiness: Readiness = { ok: false, reason: 'waiting for the datastore' };
  const server = createMetricsServer({
    port: 0,
    registry,
    live: () => live,
    ready: () => readiness,
    log: silentLog,
  });
  t.teardown(() => server.close());
  const { host, port } = await server.listen();
  t.equal(host, '127.0.0.1');
  const ask = async (path: string): Promise<[number, string]> => {
    const response = await fetch(`http://${host}:${port}${path}`);
    return [response.status, await response.text()];
  };
  t.strictSame(await ask('/live'), [200, '{"live":true}']);
  t.strictSame(await ask('/ready'), [503, '{"ready":false,"reason":"waiting for the datastore"}']);
  readiness = { ok: true, reason: 'in sync' };
  live = false;
  t.strictSame(await ask('/ready'), [200, '{"ready":true,"reason":"in sync"}']);
  t.equal((await ask('/live'))[0], 503);
  const [status, body] = await ask('/metrics');
  t.equal(status, 200);
  t.match(body, 'process_start_time_seconds');
  t.equal((await ask('/other'))[0], 404);

  const again = createMetricsServer({
    port,
    registry,
    live: () => true,
    ready: () => readiness,
    log: silentLog,
  });
  const fault = await faultOf(again.listen());
  t.equal(fault.kind, 'refused');
  t.match(fault.message, `port ${port}`);
});

t.test('an answer that fails is an error of that answer only', async (t) => {
  const registry = createMetrics();
  const spec = { room: 'ipam', what: 'free', unit: 'count', help: 'x' } as const;
  registry.readGauge(spec, () => {
    throw new Error('not now');
  });
  const ready = (): Readiness => ({ ok: true, reason: '' });
  const server = createMetricsServer({
    port: 0,
    registry,
    live: () => true,
    ready,
    log: silentLog,
  });
  t.teardown(() => server.close());
  const { port } = await server.listen();
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  t.equal(response.status, 500);
  t.strictSame(await response.json(), { error: 'not now' });
  t.equal((await fetch(`http://127.0.0.1:${port}/live`)).status, 200);
});
