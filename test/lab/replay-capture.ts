import t from 'tap';
import type { Answer, EngineClient } from '../fixtures/engine-client.js';
import { captureNames, readCapture, replayCapture, subnetsOf } from '../fixtures/replay-capture.js';

/** Answers as a driver that numbers its pools and addresses in its own way, and remembers what came. */
function scripted(seen: [string, Answer][]): EngineClient {
  let count = 0;
  return {
    call: async (method, body) => {
      seen.push([method, (body ?? {}) as Answer]);
      count += 1;
      if (method === 'IpamDriver.GetCapabilities') return { RequiresMACAddress: true };
      if (method === 'IpamDriver.RequestPool')
        return { PoolID: `live-${count}`, Pool: '10.80.0.0/16' };
      if (method === 'IpamDriver.RequestAddress') return { Address: `10.80.9.${count}/32` };
      return {};
    },
    raw: async () => ({ status: 200, headers: {}, text: '{}' }),
    bytes: async () => ({ status: 200, headers: {}, text: '{}' }),
    close: () => undefined,
  };
}

t.test('every capture can be read', async (t) => {
  for (const engine of ['20.10', '26', '28'] as const) {
    const names = captureNames(engine);
    t.ok(names.length >= 9, `${engine}: ${names.length} captures`);
    for (const name of names) {
      const calls = readCapture(engine, name);
      t.ok(
        calls.every((call) => /^(?:Plugin|NetworkDriver|IpamDriver)\.\w+$/.test(call.method)),
        name,
      );
    }
  }
});

t.test('live values take the place of recorded ones, in calls that follow', async (t) => {
  const calls = readCapture('28', '10-run');
  const pool = {
    step: 'network create',
    plugin: 'capipam',
    method: 'IpamDriver.RequestPool',
    request: { AddressSpace: 'x', Pool: '10.80.0.0/16' },
    status: 200,
    response: { PoolID: 'pool-10.80.0.0/16', Pool: '10.80.0.0/16' },
  };
  t.same(subnetsOf([pool]), ['10.80.0.0/16']);
  const seen: [string, Answer][] = [];
  const client = scripted(seen);
  await replayCapture([pool, ...calls], { network: client, ipam: client });
  const request = seen.find(([method]) => method === 'IpamDriver.RequestAddress')?.[1];
  const create = seen.find(([method]) => method === 'NetworkDriver.CreateEndpoint')?.[1];
  const join = seen.find(([method]) => method === 'NetworkDriver.Join')?.[1];
  t.equal(request?.['PoolID'], 'live-3');
  t.match(create, { Interface: { Address: /^10\.80\.9\.\d+\/32$/, MacAddress: /^02:42:/ } });
  t.same(
    request?.['Options'],
    {
      'com.docker.network.endpoint.macaddress': (create?.['Interface'] as Answer | undefined)?.[
        'MacAddress'
      ],
    },
    'the MAC is announced as the engine does it',
  );
  t.equal(join?.['EndpointID'], create?.['EndpointID']);
  t.not(create?.['EndpointID'], calls[1]?.request?.['EndpointID'], 'a fresh endpoint');
});
