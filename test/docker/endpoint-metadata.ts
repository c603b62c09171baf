import fc from 'fast-check';
import t from 'tap';
import { Fault, silentLog } from '../../src/base/index.js';
import {
  CONTAINER_NAME_ANNOTATION,
  endpointMetadata,
  NETWORK_NAME_ANNOTATION,
  startMetadataWriter,
  type DockerEndpoint,
  type EndpointChange,
  type InventoryListener,
} from '../../src/docker/index.js';
import { until } from '../fixtures/until.js';

const endpoint = (
  labels: Readonly<Record<string, string>>,
  endpointId = 'e1',
  containerName = 'web',
): DockerEndpoint => ({
  endpointId,
  networkId: 'n1',
  networkName: 'front',
  containerId: 'c'.repeat(64),
  containerName,
  labels,
  addresses: ['10.0.0.2'],
  mac: '',
});

const prefix = 'org.projectcalico.label.';

t.test('labels with the prefix become labels of the endpoint', async (t) => {
  const labels = {
    [`${prefix}app`]: 'my-nginx',
    [`${prefix}example.com/tier`]: '',
    'com.docker.compose.project': 'proj',
  };
  const { change, skipped } = endpointMetadata(endpoint(labels), 'prefixed');
  t.same(change, {
    containerId: 'c'.repeat(64),
    labels: { app: 'my-nginx', 'example.com/tier': '' },
    annotations: { [CONTAINER_NAME_ANNOTATION]: 'web', [NETWORK_NAME_ANNOTATION]: 'front' },
  });
  t.same(skipped, []);
  t.same(endpointMetadata(endpoint(labels), 'all').change.labels, {
    app: 'my-nginx',
    'example.com/tier': '',
    'com.docker.compose.project': 'proj',
  });
  t.same(endpointMetadata(endpoint(labels), 'none').change.labels, {});
});

t.test('a bad label is left out with its reason, the others are not', async (t) => {
  const labels = {
    [`${prefix}good`]: 'yes',
    [prefix]: 'x',
    [`${prefix}a/b/c`]: 'x',
    [`${prefix}UPPER.example.com/x`]: 'x',
    [`${prefix}-x`]: 'x',
    [`${prefix}${'k'.repeat(64)}`]: 'x',
    [`${prefix}long`]: 'v'.repeat(64),
    [`${prefix}path`]: '/a/b',
    [`${prefix}newline`]: 'a\n',
    [`${prefix}projectcalico.org/namespace`]: 'other',
    good: 'no',
    '"quoted" <label>': 'x',
  };
  const { change, skipped } = endpointMetadata(endpoint(labels), 'all');
  t.same(change.labels, { good: 'yes' }, 'the prefixed label wins');
  const reasons = Object.fromEntries(
    skipped.map(({ label, reason }) => [label.replace(prefix, ''), reason]),
  );
  t.same(reasons, {
    '': 'empty-key',
    'a/b/c': 'bad-key',
    'UPPER.example.com/x': 'bad-key',
    '-x': 'bad-key',
    [`${'k'.repeat(64)}`]: 'bad-key',
    long: 'bad-value',
    path: 'bad-value',
    newline: 'bad-value',
    'projectcalico.org/namespace': 'reserved',
    good: 'shadowed',
    '"quoted" <label>': 'bad-key',
  });
  for (const { message, label } of skipped)
    t.ok(message.includes(label) && !message.includes('\n\n'), message);
});

t.test('whatever a container says, what is written passes the rules', async () => {
  const name = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), fc.boolean(), (raw, prefixed) => {
      const labels = Object.fromEntries(
        Object.entries(raw).map(([key, value]) => [prefixed ? prefix + key : key, value]),
      );
      const { change, skipped } = endpointMetadata(endpoint(labels), 'all');
      const kept = Object.entries(change.labels);
      return (
        kept.length + skipped.length === Object.keys(labels).length &&
        kept.every(
          ([key, value]) =>
            name.test(key.split('/').at(-1) ?? '') && (value === '' || name.test(value)),
        )
      );
    }),
    { numRuns: 500 },
  );
});

interface Writes {
  readonly listener: () => InventoryListener;
  readonly written: [string, EndpointChange][];
  fail: Fault[];
  readonly end: () => Promise<void>;
  readonly waiting: () => number;
}

function writer(): Writes {
  const stop = new AbortController();
  let listener: InventoryListener = {};
  const result: Writes = {
    listener: () => listener,
    written: [],
    fail: [],
    end: async () => {
      stop.abort();
      await made.ended;
    },
    waiting: () => made.waiting,
  };
  const made = startMetadataWriter({
    inventory: {
      subscribe: (given) => {
        listener = given;
        return () => undefined;
      },
    },
    mode: 'prefixed',
    updateEndpoint: async (endpointId, change) => {
      const fault = result.fail.shift();
      if (fault !== undefined) throw fault;
      result.written.push([endpointId, change]);
    },
    log: silentLog,
    signal: stop.signal,
    pauseMs: { first: 1, last: 2 },
  });
  return result;
}

t.test('every endpoint is written once, after failures too', async (t) => {
  const writes = writer();
  writes.fail = [
    new Fault('unavailable', 'down'),
    new Fault('outcome-unknown', 'lost'),
    new Fault('conflict', 'raced'),
  ];
  for (const id of ['e1', 'e2', 'e3'])
    writes.listener().onEndpoint?.(endpoint({ [`${prefix}app`]: id }, id));
  await until(() => writes.written.length === 3, 'all writes');
  t.same(
    new Map(writes.written.map(([id, change]) => [id, change.labels])),
    new Map(['e1', 'e2', 'e3'].map((id) => [id, { app: id }])),
  );
  await until(() => writes.waiting() === 0, 'an empty queue');
  await writes.end();
});

t.test('an endpoint that is not there or was refused is dropped; the next goes on', async (t) => {
  const writes = writer();
  writes.fail = [new Fault('not-found', 'no such endpoint'), new Fault('corrupt', 'unreadable')];
  for (const id of ['e1', 'e2', 'e3']) writes.listener().onEndpoint?.(endpoint({}, id));
  await until(() => writes.written.length === 1, 'the third');
  t.equal(writes.written[0]?.[0], 'e3');
  t.equal(writes.waiting(), 0);
  await writes.end();
});

t.test('an endpoint that is gone is no longer written', async (t) => {
  const writes = writer();
  writes.fail = Array.from({ length: 5 }, () => new Fault('unavailable', 'down'));
  writes.listener().onEndpoint?.(endpoint({}, 'e1'));
  writes.listener().onEndpointGone?.('e1');
  writes.listener().onEndpoint?.(endpoint({}, 'e2'));
  await until(() => writes.written.length === 1, 'the other');
  t.same(
    writes.written.map(([id]) => id),
    ['e2'],
  );
  await writes.end();
});
