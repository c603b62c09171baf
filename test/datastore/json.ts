import fc from 'fast-check';
import t from 'tap';
import { parseJson, stringifyJson } from '../../src/datastore/index.js';
import { faultOf } from '../fixtures/fault-of.js';

t.test('integers beyond 2^53 are bigint and survive', async (t) => {
  const text = '{"sequenceNumber":18446744073709551615,"small":3,"edge":9007199254740993}';
  const value = parseJson(text, 'a block');
  t.strictSame(value, {
    sequenceNumber: 18446744073709551615n,
    small: 3,
    edge: 9007199254740993n,
  });
  t.equal(stringifyJson(value), text);
});

t.test('numbers that a double cannot hold survive', async (t) => {
  for (const text of [
    '[1e400]',
    '[0.12345678901234567890123]',
    '[1e-400]',
    '[-0.12345678901234567890123]',
  ]) {
    t.equal(stringifyJson(parseJson(text, 'x')), text);
  }
  t.strictSame(
    parseJson('[100.5,1e3,0.1,-2.50,1.7976931348623157e308]', 'x'),
    [100.5, 1000, 0.1, -2.5, 1.7976931348623157e308],
  );
});

t.test('unknown members, order, repeated and dangerous names', async (t) => {
  const text = '{"z":1,"a":{"unknown":[null,true,""]},"m":12345678901234567890}';
  t.equal(stringifyJson(parseJson(text, 'x')), text);
  t.strictSame(parseJson('{"a":1,"a":12345678901234567890}', 'x'), { a: 12345678901234567890n });
  const odd = '{"__proto__":{"x":12345678901234567890}}';
  t.equal(stringifyJson(parseJson(odd, 'x')), odd);
});

t.test('a text that is no JSON is corrupt and named', async (t) => {
  for (const text of ['', '{', '{"a":12345678901234567890', 'nope']) {
    const fault = await faultOf(() => parseJson(text, '/calico/x'));
    t.equal(fault.kind, 'corrupt');
    t.match(fault.message, /^\/calico\/x is not JSON: /);
  }
  t.equal((await faultOf(() => stringifyJson(undefined))).kind, 'internal');
});

t.test('both parsers agree with the text on every value', async () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n }), (value, big) => {
      const text = `{"v":${JSON.stringify(value)},"b":${big}}`;
      const parsed = parseJson(text, 'x') as { v: unknown; b: unknown };
      const same = stringifyJson(parsed.v) === JSON.stringify(JSON.parse(JSON.stringify(value)));
      return same && parsed.b === big;
    }),
  );
});
