import t from 'tap';
import { DesiredTable } from '../../src/agent/table.js';
import { findProgram, labObstacle, startLabHost } from '../fixtures/lab-host.js';

const skip = labObstacle() ?? (findProgram('nft') === undefined ? 'needs nft' : false);

t.test('a base chain comes into a table whose content is not known', { skip }, async (t) => {
  const host = await startLabHost('first-chain');
  t.teardown(() => host.stop());
  await host.must('nft', ['add', 'table', 'inet', 't']);
  const table = new DesiredTable('t');
  const hook = 'type nat hook prerouting priority dstnat; policy accept;';
  for (const rule of ['accept', 'drop']) {
    table.putChain('pub-pre', { hook, rules: [rule] });
    await host.must('nft', ['-f', '-'], { stdin: table.takeDelta({ blind: true }) });
    t.match(await host.must('nft', ['list', 'table', 'inet', 't']), /hook prerouting/);
  }
});
