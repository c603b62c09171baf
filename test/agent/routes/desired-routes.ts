import fc from 'fast-check';
import assert from 'node:assert/strict';
import t from 'tap';
import {
  endpointRoute,
  gatewayRoute,
  routeDelta,
  sameRoute,
} from '../../../src/agent/routes/index.js';
import { Address, Cidr } from '../../../src/model/index.js';
import { asListed, type Route } from '../../../src/netlink/index.js';

const scope = { loopbackIndex: 1, workloadIndexes: new Set([10, 11]) };
const route = (destination: string, interfaceIndex: number, more: Partial<Route> = {}): Route => ({
  destination: Cidr.parse(destination),
  type: 'unicast',
  protocol: 80,
  scope: 'link',
  interfaceIndex,
  ...more,
});

t.test('what the kernel lists back is no difference', async (t) => {
  const desired = [
    gatewayRoute(1),
    endpointRoute(Address.parse('10.0.0.1'), 10),
    endpointRoute(Address.parse('fd00::1'), 10),
  ];
  const delta = routeDelta(
    desired,
    desired.map((one) => asListed(one)),
    scope,
  );
  t.same(delta, { replace: [], remove: [] });
});

t.test('what is wrong with a route is put right', async (t) => {
  const want = endpointRoute(Address.parse('10.0.0.1'), 10);
  for (const wrong of [
    route('10.0.0.1/32', 11),
    route('10.0.0.1/32', 10, { protocol: 4 }),
    route('10.0.0.1/32', 10, { scope: 'universe' }),
    route('10.0.0.1/32', 10, { gateway: Address.parse('10.0.0.2') }),
    { ...route('10.0.0.1/32', 10), type: 'blackhole' } as const,
  ]) {
    t.equal(sameRoute(want, wrong), false);
    t.same(routeDelta([want], [wrong], scope).replace, [want]);
    t.same(routeDelta([want], [wrong], scope).remove, [], 'replaced, not removed');
  }
  const beside = route('10.0.0.1/32', 10, { metric: 50, protocol: 4 });
  t.same(routeDelta([want], [want, beside], scope), { replace: [], remove: [beside] });
});

t.test('whose routes are judged', async (t) => {
  const gone = [
    route('10.0.0.9/32', 10),
    route('10.8.0.0/16', 11, { protocol: 4 }),
    route('169.254.1.1/32', 1),
  ];
  const kept = [
    route('fe80::/64', 10, { protocol: 2 }),
    route('10.9.0.0/16', 2, { protocol: 80 }),
    route('10.9.1.0/26', 2, { protocol: 12 }),
    route('10.9.2.0/24', 1, { protocol: 80 }),
    route('169.254.1.9/32', 1, { protocol: 4 }),
    {
      destination: Cidr.parse('10.9.3.0/26'),
      type: 'blackhole',
      protocol: 80,
      scope: 'universe',
    } as const,
  ];
  t.same(routeDelta([], [...gone, ...kept], scope), { replace: [], remove: gone });
});

t.test('applying a delta leaves nothing to do', async (t) => {
  const some = fc.subarray(['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::1'], { minLength: 0 });
  const index = fc.constantFrom(10, 11);
  fc.assert(
    fc.property(
      some,
      fc.array(
        fc.tuple(
          fc.constantFrom('10.0.0.1/32', '10.0.0.2/32', '10.0.0.7/32'),
          index,
          fc.constantFrom(80, 4),
        ),
        { maxLength: 4 },
      ),
      (wanted, found) => {
        const desired = wanted.map((one) => endpointRoute(Address.parse(one), 10));
        const kernel = new Map<string, Route>(
          found.map(([to, at, protocol]) => [to, route(to, at, { protocol })]),
        );
        const { replace, remove } = routeDelta(desired, [...kernel.values()], scope);
        for (const one of remove) kernel.delete(String(one.destination));
        for (const one of replace) kernel.set(String(one.destination), one);
        assert.deepEqual(routeDelta(desired, [...kernel.values()], scope), {
          replace: [],
          remove: [],
        });
        assert.equal(kernel.size, desired.length);
      },
    ),
  );
  t.pass('held');
});
