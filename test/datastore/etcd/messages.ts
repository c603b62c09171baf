import fc from 'fast-check';
import t from 'tap';
import {
  coveringRange,
  disjointPrefixes,
  prefixRange,
  type KeyRange,
} from '../../../src/datastore/etcd/messages.js';

const contains = ({ key, range_end }: KeyRange, text: string): boolean => {
  const bytes = Buffer.from(text);
  const open = range_end.equals(Buffer.from([0]));
  return Buffer.compare(bytes, key) >= 0 && (open || Buffer.compare(bytes, range_end) < 0);
};
const text = fc.string({ unit: 'grapheme', maxLength: 6 });

t.test('a prefix as a range', async (t) => {
  t.strictSame(prefixRange('/a/'), { key: Buffer.from('/a/'), range_end: Buffer.from('/a0') });
  t.strictSame(prefixRange(''), { key: Buffer.from([0]), range_end: Buffer.from([0]) });
  fc.assert(
    fc.property(text, text, (prefix, key) => {
      // The zero byte itself is etcd's first key; an empty key is none.
      fc.pre(key !== '');
      return contains(prefixRange(prefix), key) === key.startsWith(prefix);
    }),
  );
});

t.test('the covering range holds every prefix and begins and ends with one', async (t) => {
  t.strictSame(coveringRange(['/calico/b/', '/calico/a/']), {
    key: Buffer.from('/calico/a/'),
    range_end: Buffer.from('/calico/b0'),
  });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), text, (prefixes, rest) => {
      const range = coveringRange(prefixes);
      return prefixes.every((prefix) => prefix + rest === '' || contains(range, prefix + rest));
    }),
  );
});

t.test('disjoint prefixes cover the same keys, each once', async () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 6 }), text, (prefixes, key) => {
      const below = (all: readonly string[]): number =>
        all.filter((prefix) => key.startsWith(prefix)).length;
      const count = below(disjointPrefixes(prefixes));
      return count <= 1 && count > 0 === below(prefixes) > 0;
    }),
  );
});
