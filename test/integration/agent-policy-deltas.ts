import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Policy } from '../../src/agent/policy/index.js';
import { DesiredTable } from '../../src/agent/table.js';
import { silentLog } from '../../src/base/index.js';
import { createNft, type Nft } from '../../src/nft/index.js';
import { history, hostInterfaces, nameLists, retell, tell } from '../fixtures/policy-history.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';

/** The kernel's table as JSON, without handles and in an order of its own. */
async function listTable(nft: Nft, name: string): Promise<string> {
  const listed = (await nft.listJson(`list table inet ${name}`)) as { nftables: object[] };
  const drop = new Set(['handle', 'table', 'name@', 'metainfo']);
  const texts = withoutListNames(listed.nftables).map((object) =>
    JSON.stringify(object, (key, value: unknown) => {
      if (drop.has(key)) return undefined;
      if (key !== 'elem' || !Array.isArray(value)) return value;
      return value.map((one) => JSON.stringify(one)).sort();
    }),
  );
  // Rules of one chain stay in order: each carries its place.
  const places = new Map<string, number>();
  return texts
    .map((text) => {
      const chain = /^\{"rule":\{"family":"inet","chain":"([^"]*)"/.exec(text)?.[1];
      if (chain === undefined) return text;
      const place = (places.get(chain) ?? 0) + 1;
      places.set(chain, place);
      return text.replace('{"rule"', `{"rule ${chain} ${String(place).padStart(3, '0')}"`);
    })
    .sort()
    .join('\n');
}

function withoutListNames(objects: readonly object[]): readonly object[] {
  const bodies = new Map<string, string>();
  for (const object of objects as readonly { readonly rule?: { chain: string; expr: object } }[]) {
    const { chain = '', expr = {} } = object.rule ?? {};
    bodies.set(chain, (bodies.get(chain) ?? '') + JSON.stringify(expr));
  }
  return JSON.parse(nameLists(JSON.stringify(objects.slice(2)), bodies)) as object[];
}

/** As the agent's writer does it. */
async function applyDelta(nft: Nft, table: DesiredTable): Promise<void> {
  for (const text of [table.takeNewIntervals(), table.takeDelta()]) {
    if (text !== '') await nft.apply(text);
  }
}

await inPrivateNamespace(import.meta.url, () => {
  t.test('nft takes every delta, and they end where a whole table would', async (t) => {
    const nft = await createNft({ log: silentLog });
    t.teardown(() => nft.close());
    await fc.assert(
      fc.asyncProperty(history, fc.integer({ min: 1, max: 5 }), async (news, every) => {
        const table = new DesiredTable('deltas');
        const mostMoved = every % 2 === 0 ? 0 : 64;
        const policy = new Policy(table, { hostReach: 'own', mostMoved }, () => 0);
        policy.setInterfaces(hostInterfaces);
        await nft.apply(table.takeFull());
        for (const [at, one] of news.entries()) {
          tell(policy, one);
          if (at % 7 === 6) policy.tidy(0);
          if (at % every === 0) await applyDelta(nft, table);
        }
        policy.tidy(0);
        await applyDelta(nft, table);
        const fresh = new DesiredTable('whole');
        retell(fresh, news);
        await nft.apply(fresh.takeFull());
        const listed = await listTable(nft, 'deltas');
        assert.match(listed, /map.*from-wl/);
        assert.equal(listed, await listTable(nft, 'whole'));
      }),
      { numRuns: 60, endOnFailure: true },
    );
    t.pass('held');
  });
});
