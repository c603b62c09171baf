import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cliOn } from '../fixtures/cli-run.js';
import { createMemoryStore } from '../fixtures/memory-store.js';

const cli = cliOn(createMemoryStore());

t.test('what may come next', async (t) => {
  const next = async (words: string): Promise<string[]> =>
    (await cli(`complete -- ${words}`)).out.split('\n').filter((line) => line !== '');
  t.same(await next('ip'), ['ipam']);
  t.same(await next('ipam c'), ['check', 'configure']);
  t.same(await next('get ipp'), ['ippools']);
  t.same(await next('get ippools ipp'), [], 'names of objects are not looked up');
  t.same(await next('ipam check --show-p'), ['--show-problem-ips']);
  t.notOk((await next("''")).includes('complete'), 'what only the shell asks is not shown');
  t.match((await cli('completion tcsh')).err, /unknown shell "tcsh": choose bash, zsh, fish/);
});

t.test('bash takes it', async (t) => {
  const { out } = await cli('completion bash');
  const script = join(t.testdir(), 'completion.bash');
  writeFileSync(
    script,
    `calicoctl() { local IFS=' '; printf '%s\\n' "$*" extra; }
${out}
COMP_WORDS=(calicoctl ipam ch) COMP_CWORD=2
_calicoctl
printf '<%s>' "\${COMPREPLY[@]}"
`,
  );
  const { stdout, stderr } = spawnSync('bash', ['-eu', script], { encoding: 'utf8' });
  t.same({ stdout, stderr }, { stdout: '<complete -- ipam ch><extra>', stderr: '' });
});
