// Bundles the programs into dist/: one CommonJS file each, so that a start reads one file, and V8's compiled form of it.
//
//   node scripts/build.mjs [--minify] [--out DIR] [--metafile FILE]
//
// Native modules stay in node_modules. What is imported with import() is evaluated only when it is asked for,
// also inside a bundle; test/bundle.ts checks that nothing heavy is reachable without it.
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { writeCodeCache } from './code-cache.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Output name → entry file. An entry that does not exist is left out. */
const programs = {
  'calico-libnetwork': 'src/main.ts',
  calicoctl: 'src/cli/entry.ts',
};

/** Packages with machine code, or that only such packages need. */
const external = ['lmdb', 'netlink', 'koffi', 'msgpackr-extract', 'cpu-features'];

/** etcd3 reads its protocol files relative to its own file; in a bundle they lie in `proto` beside it. */
const etcdProto = {
  name: 'etcd-proto',
  setup(plugin) {
    plugin.onLoad({ filter: /etcd3\/lib\/connection-pool\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const contents = text.replace('/../proto/rpc.proto', '/proto/rpc.proto');
      if (contents === text) throw new Error(`${path} no longer opens ../proto/rpc.proto`);
      return { contents, loader: 'js' };
    });
  },
};

async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The entries that exist, as esbuild wants them. */
export async function entryPoints() {
  const found = {};
  for (const [name, entry] of Object.entries(programs)) {
    if (await exists(join(root, entry))) found[name] = join(root, entry);
  }
  return found;
}

/** Bundles in memory and returns esbuild's result with its metafile. */
export async function bundle({ minify = false } = {}) {
  return build({
    ...settings({ minify }),
    entryPoints: await entryPoints(),
    plugins: [etcdProto],
  });
}

function settings({ minify }) {
  return {
    absWorkingDir: root,
    outdir: 'dist',
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external,
    // What stays outside comes by require(): import() would look through all of its text for export names first.
    supported: { 'dynamic-import': false },
    loader: { '.node': 'empty' },
    define: { 'import.meta.url': 'bundleUrl' },
    banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
    minifyWhitespace: minify,
    minifySyntax: minify,
    // Names stay as they are: keepNames would give every closure its name anew whenever it is made.
    minifyIdentifiers: false,
    legalComments: 'none',
    logLevel: 'error',
    metafile: true,
    write: false,
  };
}

/** Writes beside the target and renames, so that a program starting meanwhile reads a whole file. */
async function replace(path, contents) {
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, contents);
  await rename(temporary, path);
}

/** The bundle, its compiled form, and the program that starts with them. */
async function writeProgram(out, { path, contents }) {
  const name = basename(path, '.cjs');
  const build = createHash('sha256').update(contents).digest('hex').slice(0, 16);
  const head = Buffer.from(`// build ${build}\n`);
  await replace(join(out, `${name}.bundle.cjs`), Buffer.concat([head, contents]));
  await replace(join(out, `${name}.cjs`), `require('./run-bundle.cjs').run('${name}');\n`);
  try {
    await writeCodeCache(out, name, build);
  } catch (error) {
    console.error(`${name} will start slower, without a compiled form: ${error.message}`);
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      minify: { type: 'boolean', default: true },
      out: { type: 'string', default: join(root, 'dist') },
      metafile: { type: 'string' },
    },
    allowNegative: true,
  });
  const result = await bundle({ minify: values.minify });
  await mkdir(values.out, { recursive: true });
  if (!(await exists(join(values.out, 'proto', 'rpc.proto')))) {
    const temporary = join(values.out, `proto.${process.pid}`);
    await cp(join(root, 'node_modules/etcd3/proto'), temporary, { recursive: true });
    // Another build may have been faster: theirs is the same.
    await rename(temporary, join(values.out, 'proto')).catch(() =>
      rm(temporary, { recursive: true }),
    );
  }
  await cp(join(root, 'scripts/run-bundle.cjs'), join(values.out, 'run-bundle.cjs'));
  await Promise.all(result.outputFiles.map((file) => writeProgram(values.out, file)));
  await replace(join(values.out, '.stamp'), `${new Date().toISOString()}\n`);
  if (values.metafile) await writeFile(values.metafile, JSON.stringify(result.metafile));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch (error) {
    // esbuild has printed its own errors already.
    if (!Array.isArray(error.errors)) console.error(error);
    process.exitCode = 1;
  }
}
