import t from 'tap';
import { bootstrap, median, quantile, spread } from '../../bench/statistics.js';

t.test('quantiles interpolate between samples', async (t) => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 2, 3]), 2.5);
  t.equal(quantile([0, 10], 0.95), 9.5);
  t.ok(Number.isNaN(median([])));
  t.match(spread([1, 2, 3]), { p50: 2, count: 3 });
});

t.test('an interval is repeatable and holds the value', async (t) => {
  const samples = Array.from({ length: 50 }, (_, at) => at % 10);
  const one = bootstrap(samples, median);
  t.same(one, bootstrap(samples, median));
  t.ok(one.low <= one.value && one.value <= one.high);
  t.ok(one.high - one.low < 6, 'narrower than the samples');
});
