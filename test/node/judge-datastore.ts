import t from 'tap';
import { formatEpoch, judgeDatastore, type FoundDatastore } from '../../src/node/index.js';

const epoch = (number: number, digit = '1') => ({
  number,
  id: `00000000-0000-4000-8000-00000000000${digit}`,
});

const found: FoundDatastore = {
  type: 'etcdv3',
  storeId: 'a',
  revision: 100n,
  clusterGuid: 'guid',
  epoch: epoch(2),
  count: 7,
};
const recorded = {
  type: 'etcdv3',
  storeId: 'a',
  clusterGuid: 'guid',
  revision: 100n,
  epoch: formatEpoch(epoch(2)),
  count: 7,
} as const;

t.test('what a datastore is, by what was known of it', async (t) => {
  const is = (changes: Partial<FoundDatastore>, known: object = {}): string => {
    const verdict = judgeDatastore({ ...recorded, ...known }, { ...found, ...changes });
    return verdict.kind === 'exchanged' ? verdict.how : verdict.kind;
  };
  t.equal(judgeDatastore(undefined, found).kind, 'first');
  t.equal(is({}), 'same');
  t.equal(is({ revision: 101n, count: 8 }), 'same', 'a crash between the two writes');
  t.equal(is({ clusterGuid: undefined }), 'emptied');
  t.equal(is({ clusterGuid: 'other' }), 'foreign');
  t.equal(is({ type: 'embedded' }), 'moved');
  t.equal(is({ type: 'embedded', clusterGuid: 'other' }), 'moved', 'the configuration says so');
  t.equal(is({ storeId: 'b' }), 'other-store');
  t.equal(is({ revision: 99n }), 'went-back');
  t.equal(is({ count: 6 }), 'went-back', 'also when others raised the revision since');
  t.equal(is({ count: undefined }), 'went-back');
  t.equal(is({ epoch: epoch(1) }), 'went-back');
  t.equal(is({ epoch: epoch(2, '2') }), 'went-back', 'of one number, of another life');
  t.equal(is({ epoch: undefined }), 'went-back');
  t.equal(is({ epoch: epoch(3, '2'), revision: 1n }), 'told');
  t.equal(is({}, { exchanged: 'noticed before a crash' }), 'went-back');
  t.equal(is({ count: undefined }, { count: undefined }), 'same', 'a record of the first start');
});
