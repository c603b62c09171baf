/**
 * What a real Felix did with policies (captured on two hosts), step by step: its manifests go through
 * our calicoctl, and each ping and connection is asked of `policy trace`.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { cliOn } from '../fixtures/cli-run.js';
import { createMemoryStore } from '../fixtures/memory-store.js';

const V3 = 'apiVersion: projectcalico.org/v3\n';
const transcript = readFileSync(
  new URL('../fixtures/captures/felix/02-policy.txt', import.meta.url),
  'utf8',
);

/** The endpoints that the predecessor had made there; its namespaces are the hosts' names. */
const START = [
  ['a1', 'node1', '10.20.166.128'],
  ['a2', 'node1', '10.20.166.129'],
  ['b1', 'node2', '10.20.104.0'],
]
  .map(([name, node, address]) => endpoint(name ?? '', node ?? '', address ?? '', 'pool1'))
  .concat(
    `${V3}kind: Profile
metadata: {name: pool1}
spec:
  ingress: [{action: Allow, source: {selector: has(pool1)}}]
  egress: [{action: Allow}]
  labelsToApply: {pool1: ""}
`,
  )
  .join('---\n');

function endpoint(name: string, node: string, address: string, profile: string): string {
  return `${V3}kind: WorkloadEndpoint
metadata: {name: ${node}-libnetwork-libnetwork-${name}, namespace: ${node}}
spec: {orchestrator: libnetwork, workload: libnetwork, node: ${node}, endpoint: ${name}, interfaceName: cali${name}, ipNetworks: [${address}/32], profiles: [${profile}]}
`;
}

type Step =
  | { readonly type: 'file'; readonly name: string; readonly text: string }
  | { readonly type: 'calicoctl'; readonly words: string }
  | {
      readonly type: 'flow';
      readonly from: string;
      readonly to: string;
      readonly port: string;
      readonly passed: boolean;
    };

/** Steps are blocks between empty lines: a comment with a file, or a command with what it printed. */
function stepsOf(text: string): Step[] {
  return text.split(/\n\n+/).flatMap((block): Step[] => {
    const file = /^# file (\S+):\n((?:#.*(?:\n|$))+)/.exec(block);
    if (file !== null) {
      const body = (file[2] ?? '').replaceAll(/^# {3}/gm, '');
      return [{ type: 'file', name: file[1] ?? '', text: body }];
    }
    const calicoctl = /^\[\w+\]\$ calicoctl ((?:apply|delete) .*)/.exec(block);
    if (calicoctl !== null) return [{ type: 'calicoctl', words: calicoctl[1] ?? '' }];
    const ping = /docker exec (\w\d) ping .* (\d+\.\d+\.\d+\.\d+) \|/.exec(block);
    if (ping !== null) {
      const passed = !block.includes(' 0 packets received');
      return [{ type: 'flow', from: ping[1] ?? '', to: ping[2] ?? '', port: 'icmp', passed }];
    }
    const nc = /docker exec (\w\d) sh .* nc -w 2 (\S+) (\d+) >.*\nrc=(\d+)/.exec(block);
    if (nc === null) return [];
    const [, from = '', to = '', port = '', status = ''] = nc;
    return [{ type: 'flow', from, to, port: `tcp/${port}`, passed: status === '0' }];
  });
}

/** What the capture does by other means: a container gets a new address, a profile goes missing. */
const MOVED = endpoint('a2', 'node1', '10.20.166.130', 'pool1');
const LOST = endpoint('a1', 'node1', '10.20.166.128', 'nosuch');

t.test('our verdicts are what Felix did', async (t) => {
  const cli = cliOn(createMemoryStore());
  t.match(await cli('apply -f -', { stdin: START }), { status: 0 });
  const files: Record<string, string> = {};
  const [before = '', afterMove = ''] = transcript.split('# disconnect and connect');
  const [moved = '', lost = ''] = afterMove.split('# an endpoint whose profile');
  let flows = 0;
  for (const [part, change] of [
    [before, undefined],
    [moved, MOVED],
    [lost, LOST],
  ] as const) {
    if (change !== undefined) await cli('apply -f -', { stdin: change });
    for (const step of stepsOf(part)) {
      if (step.type === 'file') files[step.name] = step.text;
      else if (step.type === 'calicoctl') {
        t.match(await cli(step.words, { files }), { status: 0 }, step.words);
      } else {
        flows += 1;
        const { status, out } = await cli(
          `policy trace --from ${step.from} --to ${step.to} --port ${step.port}`,
        );
        const name = `${step.from} to ${step.to} ${step.port}`;
        t.equal(status, step.passed ? 0 : 2, name, { trace: out });
      }
    }
  }
  t.equal(flows, 23, 'all of the capture');
});
