import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildResult } from 'esbuild';
import t from 'tap';
import { launcherFlags } from './fixtures/plugin-daemon.js';

interface Build {
  bundle(): Promise<BuildResult<{ metafile: true }>>;
}
// The build script runs before there is a TypeScript loader, so it is plain JavaScript.
const { bundle } = (await import(new URL('../scripts/build.mjs', import.meta.url).href)) as Build;

/** Too slow to load before the sockets answer: they come by import(). */
const HEAVY = ['etcd3', '@grpc/grpc-js', 'lmdb', 'dockerode', 'netlink', 'koffi', 'prom-client'];

/** Packages that are evaluated as soon as the program starts. */
async function eagerPackages(entry: string): Promise<Set<string>> {
  const { inputs } = (await bundle()).metafile;
  const seen = new Set<string>();
  const packages = new Set<string>();
  const queue = [entry];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
    if (name !== undefined) packages.add(name);
    for (const one of inputs[path]?.imports ?? []) {
      if (one.kind === 'dynamic-import') continue;
      if (one.external === true) packages.add(one.path.split('/')[0] ?? one.path);
      else queue.push(one.path);
    }
  }
  t.ok(seen.size > 10, `${entry} was found`);
  return packages;
}

t.test('the daemon loads nothing heavy before its sockets answer', async (t) => {
  const packages = await eagerPackages('src/main.ts');
  t.ok(packages.has('fastify'));
  t.same(
    HEAVY.filter((name) => packages.has(name)),
    [],
  );
});

t.test('calicoctl loads a datastore only for commands that need one', async (t) => {
  const packages = await eagerPackages('src/cli/entry.ts');
  t.same(
    [...HEAVY, 'fastify'].filter((name) => packages.has(name)),
    [],
  );
});

t.test('the built programs start', async (t) => {
  const out = mkdtempSync('/tmp/calico-bundle-');
  t.teardown(() => rmSync(out, { recursive: true, force: true }));
  execFileSync(process.execPath, ['scripts/build.mjs', '--out', out]);
  const version = (program: string): string =>
    execFileSync(
      process.execPath,
      [join(out, program), ...(program.includes('ctl') ? ['version', '--client'] : ['--version'])],
      { encoding: 'utf8' },
    );
  t.match(version('calico-libnetwork.cjs'), /\d+\.\d+\.\d+/);
  t.match(version('calicoctl.cjs'), /\d+\.\d+\.\d+/);
  // Exits with 3 when V8 does not take the compiled form that the build left.
  const check = `
    const [bundles, name] = process.argv.splice(1, 2, 'program');
    const { cachedDataRejected } = require(bundles).run(name);
    process.on('exit', () => process.exit(cachedDataRejected === false ? 0 : 3));
  `;
  const status = (name: string, flags: readonly string[], argument: string): number | null =>
    spawnSync(process.execPath, [
      ...flags,
      ...['-e', check, '--', join(out, 'run-bundle.cjs'), name, argument],
    ]).status;
  t.equal(status('calico-libnetwork', launcherFlags(), '--version'), 0);
  t.equal(status('calicoctl', [], '--version'), 0);
  t.equal(status('calicoctl', ['--no-opt'], '--version'), 3, 'compiled by other rules');
});
