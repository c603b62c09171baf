import t from 'tap';
import { failureOf } from '../../../src/datastore/etcd/failure.js';

// code and text as grpc-js and etcd 3.4 give them → kind, reason, certainly not executed, worth another member
const cases: readonly (readonly [number, string, string, string, boolean, boolean])[] = [
  [
    14,
    'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ',
    'unavailable',
    'connection-refused',
    true,
    true,
  ],
  [
    14,
    'No connection established. Last error: Error: self-signed certificate in certificate chain. Resolution note: ',
    'unavailable',
    'tls',
    true,
    true,
  ],
  [
    14,
    'Name resolution failed for target dns:nosuchhost.invalid:2379',
    'unavailable',
    'name',
    true,
    true,
  ],
  [14, 'Connection dropped', 'unavailable', 'connection-lost', false, true],
  [14, 'read ECONNRESET', 'unavailable', 'connection-lost', false, true],
  [13, 'Received RST_STREAM with code 2', 'unavailable', 'connection-lost', false, true],
  [4, 'Deadline exceeded after 5.001s', 'unavailable', 'deadline', false, true],
  [1, 'Cancelled on client', 'unavailable', 'stopped', false, false],
  [14, 'etcdserver: no leader', 'unavailable', 'no-leader', true, true],
  [
    14,
    'etcdserver: request timed out, possibly due to previous leader failure',
    'unavailable',
    'no-leader',
    false,
    true,
  ],
  [14, 'etcdserver: leader changed', 'unavailable', 'no-leader', false, true],
  [14, 'etcdserver: server stopped', 'unavailable', 'rejected', false, true],
  [8, 'etcdserver: mvcc: database space exceeded', 'refused', 'out-of-space', true, false],
  [8, 'etcdserver: too many requests', 'unavailable', 'overloaded', true, true],
  [3, 'etcdserver: request is too large', 'invalid', 'too-large', true, false],
  [
    3,
    'etcdserver: too many operations in txn request',
    'invalid',
    'too-many-operations',
    true,
    false,
  ],
  [3, 'etcdserver: duplicate key given in txn request', 'invalid', 'rejected', true, false],
  [5, 'etcdserver: requested lease not found', 'invalid', 'rejected', true, false],
  [
    11,
    'etcdserver: mvcc: required revision has been compacted',
    'unavailable',
    'compacted',
    true,
    false,
  ],
  [7, 'etcdserver: permission denied', 'refused', 'permission', true, false],
  [
    3,
    'etcdserver: authentication failed, invalid user ID or password',
    'refused',
    'authentication',
    true,
    false,
  ],
  [3, 'etcdserver: user name is empty', 'refused', 'authentication', true, false],
  [12, 'Received HTTP status code 404', 'unavailable', 'not-etcd', true, true],
];

t.test('what a failed call means', async (t) => {
  for (const [code, details, kind, reason, notDone, elsewhere] of cases) {
    const failure = failureOf({ code, details }, 'http://a:2379');
    t.strictSame(
      [failure.kind, failure.reason, failure.notDone, failure.elsewhere, failure.renewToken],
      [kind, reason, notDone, elsewhere, false],
      details,
    );
    t.match(failure.text, /^http:\/\/a:2379: [^\n]+$/);
    t.notMatch(failure.text, 'Resolution note');
  }
});

t.test('a spoilt token is renewed', async (t) => {
  for (const details of [
    'etcdserver: invalid auth token',
    'etcdserver: revision of auth store is old',
  ]) {
    const failure = failureOf({ code: 16, details }, 'http://a:2379');
    t.ok(failure.renewToken && failure.notDone);
    t.equal(failure.kind, 'refused');
  }
});
