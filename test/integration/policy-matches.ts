import t from 'tap';
import { packetsOf } from '../fixtures/agent-host.js';
import { policyWorld, putStored } from '../fixtures/policy-world.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';
import { matchCases, probeNames } from '../fixtures/match-cases.js';
import { matchProbes } from '../fixtures/match-probes.js';

const NAMES = probeNames;

await inPrivateNamespace(import.meta.url, () => {
  t.test('every match, in both directions', async (t) => {
    const { store, host, client, apply } = await policyWorld(t);
    putStored(store, {
      ...{ kind: 'GlobalNetworkSet', name: 'lan', labels: { kind: 'lan' } },
      spec: { nets: ['10.20.0.0/30', '10.20.0.1', 'fd00:20::/126'] },
    });
    putStored(store, {
      ...{ kind: 'NetworkSet', name: 'far', namespace: 'default', labels: { kind: 'far' } },
      spec: { nets: ['192.0.2.0/24', '2001:db8::/32'] },
    });
    let round = 0;
    for (const direction of ['ingress', 'egress'] as const) {
      for (const [index, { name, rules, passes, decides, namespace }] of matchCases.entries()) {
        await t.test(`${direction}: ${name}`, async (t) => {
          const type = direction === 'ingress' ? 'Ingress' : 'Egress';
          const role = direction === 'ingress' ? 'server' : 'client';
          const id = namespace === undefined ? 'case' : `${namespace}/case`;
          let stored = '';
          await apply(() => {
            const spec = {
              ...{ selector: `role == '${role}'`, types: [type], order: index },
              [direction]: rules,
            };
            const kind = namespace === undefined ? 'GlobalNetworkPolicy' : 'NetworkPolicy';
            const where = namespace === undefined ? {} : { namespace };
            stored = putStored(store, { kind, name: 'case', ...where, spec });
          });
          const rule = `policy ${id} ${direction} rule`;
          const deniers = (decides ?? 'end of tier default').replaceAll('RULE', rule).split(' or ');
          if (decides === 'CLOSED') {
            const { decisions } = host.agent.status();
            const why = decisions.find(({ reason }) => reason === 'policy-fails-closed');
            t.equal(why?.subject, id);
            deniers.splice(0, 1, `policy ${id} cannot be enforced`);
          }
          const packets = async (): Promise<number> => {
            let sum = 0;
            for (const denier of deniers) sum += await packetsOf(host.nft, denier);
            return sum;
          };
          const before = await packets();
          const answers = await client.station.ask(
            matchProbes((round += 1)).map(({ name: one, probe }) => ({
              probe,
              waitMs: passes.includes(one) ? 5000 : 300,
            })),
          );
          t.same(
            NAMES.filter((_, at) => answers[at]),
            passes,
          );
          const denied = NAMES.length - passes.length;
          const counted = (await packets()) - before;
          t.ok(counted >= denied, `${deniers.join()} saw ${counted} packets of ${denied} probes`);
          await apply(() => store.delete(stored));
        });
      }
    }
  });
});
