import { createServer, type AddressInfo, type Server } from 'node:net';
import t, { type Test } from 'tap';
import { PortHolder } from '../../../src/agent/nat/index.js';
import { silentLog } from '../../../src/base/index.js';
import { Address, type PortBinding } from '../../../src/model/index.js';
import { until } from '../../fixtures/until.js';

const OWN = [Address.parse('10.1.0.2')];

function setUp(t: Test): PortHolder {
  const holder = new PortHolder(silentLog);
  t.teardown(() => holder.close());
  return holder;
}

const wants = (hostPort: number, more: Partial<PortBinding> = {}): PortBinding => ({
  ...{ protocol: 'tcp', port: 80, hostAddress: '127.0.0.1', hostPort, hostPortEnd: hostPort },
  ...more,
});

async function listen(port = 0): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen({ host: '127.0.0.1', port, exclusive: true }, resolve);
  });
  return server;
}
const end = (server: Server) => new Promise((resolve) => server.close(resolve));

/** A port that nothing has now. */
async function free(): Promise<number> {
  const server = await listen();
  const { port } = server.address() as AddressInfo;
  await end(server);
  return port;
}

async function isFree(port: number): Promise<boolean> {
  try {
    await end(await listen(port));
    return true;
  } catch {
    return false;
  }
}

t.test('what is reserved for an endpoint that went meanwhile is held for nobody', async (t) => {
  const holder = setUp(t);
  const [first, second] = [await free(), await free()];
  const reserving = holder.reserve('a', [wants(first), wants(second, { port: 81 })], OWN);
  holder.keep('a', []);
  await t.rejects(reserving, { message: /no longer wanted/ });
  await until(async () => (await isFree(first)) && (await isFree(second)), 'both ports');
});

t.test('a call that has ended holds nothing', async (t) => {
  const holder = setUp(t);
  const port = await free();
  const ended = new AbortController();
  const reserving = holder.reserve('a', [wants(port)], OWN, ended.signal);
  ended.abort();
  await t.rejects(reserving, { message: /publishing ports/ });
  await until(() => isFree(port), 'the port');
});

t.test('the same again is the same, and what fails takes nothing away', async (t) => {
  const holder = setUp(t);
  const [port, taken] = [await free(), await free()];
  const any = wants(0, { port: 81 });
  const first = await holder.reserve('a', [wants(port), any], OWN);
  t.same(await holder.reserve('a', [wants(port), any], OWN), first);
  const server = await listen(taken);
  t.teardown(() => end(server));
  await t.rejects(holder.reserve('a', [wants(port), wants(taken)], OWN), { message: /in use/ });
  t.notOk(await isFree(port), 'still held');
  holder.keep('a', []);
  await until(() => isFree(port), 'the port');
});

t.test('told twice in a row it is held once', async (t) => {
  const holder = setUp(t);
  const hostPort = await free();
  const port = {
    protocol: 'tcp',
    hostAddress: '127.0.0.1',
    hostPort,
    address: '10.1.0.2',
  } as const;
  holder.keep('a', [{ ...port, port: 80 }]);
  holder.keep('a', [{ ...port, port: 80 }]);
  await until(async () => !(await isFree(hostPort)), 'it to be held');
  holder.keep('a', []);
  await until(() => isFree(hostPort), 'it to be free');
});

t.test(
  'a range that is in use names who has the last, and a port of SCTP has one owner',
  async (t) => {
    const holder = setUp(t);
    const port = await free();
    const server = await listen(port);
    t.teardown(() => end(server));
    const range = wants(port, { hostPortEnd: port });
    await t.rejects(holder.reserve('a', [range], OWN), {
      message: new RegExp(`in use by .* \\(pid ${process.pid}\\)`),
    });
    const sctp = wants(9300, { protocol: 'sctp' });
    const both = ['a', 'b'].map((id) => holder.reserve(id, [sctp], OWN));
    const states = (await Promise.allSettled(both)).map(({ status }) => status);
    t.same(states.sort(), ['fulfilled', 'rejected']);
  },
);

t.test('too many are refused before any is held', async (t) => {
  const all = Array.from({ length: 8193 }, (_, at) => wants(10_000 + at));
  await t.rejects(setUp(t).reserve('a', all, OWN), { message: /8193 ports/ });
});
