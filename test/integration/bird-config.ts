import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { renderBgp } from '../../src/agent/bgp/index.js';
import { exec } from '../../src/base/index.js';
import { bgpCases } from '../fixtures/bgp-cases.js';
import { findProgram } from '../fixtures/lab-host.js';

const bird = findProgram('bird');
const skip = bird === undefined ? 'needs the program bird' : false;
const folder = mkdtempSync(join(tmpdir(), 'bird-config-'));
t.teardown(() => rmSync(folder, { recursive: true }));

for (const { name, facts, settings } of bgpCases) {
  t.test(`the real BIRD reads: ${name}`, { skip }, async (t) => {
    const path = join(folder, 'bird.conf');
    writeFileSync(path, renderBgp(facts, settings)?.text ?? '');
    const { status, stderr } = await exec(bird ?? '', ['-p', '-c', path]);
    t.same({ status, stderr }, { status: 0, stderr: '' });
  });
}
