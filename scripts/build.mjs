// Bundles the programs into dist/: one CommonJS file each, so that a start reads one file.
//
//   node scripts/build.mjs [--minify] [--out DIR] [--metafile FILE]
//
// Native modules stay in node_modules. What is imported with import() is evaluated only when it is asked for,
// also inside a bundle; test/bundle.ts checks that nothing heavy is reachable without it.
import { cp, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

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

/**
 * Large packages that come after the sockets answer, in files of their own: parsing them would take a third
 * of the time until then.
 */
const apart = ['etcd3', 'dockerode'];
const fileOf = (name) => `lib-${name}`;

const leaveApart = {
  name: 'leave-apart',
  setup(plugin) {
    plugin.onResolve({ filter: new RegExp(`^(${apart.join('|')})$`) }, ({ path }) => ({
      path: `./${fileOf(path)}.cjs`,
      external: true,
    }));
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
    plugins: [leaveApart],
  });
}

/** The packages that stay apart, one file each. */
async function bundleApart({ minify }) {
  const entries = apart.map((name) => ({ in: name, out: fileOf(name) }));
  return build({ ...settings({ minify }), entryPoints: entries, plugins: [etcdProto] });
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
    loader: { '.node': 'empty' },
    define: { 'import.meta.url': 'bundleUrl' },
    banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
    minifyWhitespace: minify,
    minifySyntax: minify,
    minifyIdentifiers: minify,
    keepNames: minify,
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
  const libraries = await bundleApart({ minify: values.minify });
  await mkdir(values.out, { recursive: true });
  if (!(await exists(join(values.out, 'proto', 'rpc.proto')))) {
    const temporary = join(values.out, `proto.${process.pid}`);
    await cp(join(root, 'node_modules/etcd3/proto'), temporary, { recursive: true });
    // Another build may have been faster: theirs is the same.
    await rename(temporary, join(values.out, 'proto')).catch(() =>
      rm(temporary, { recursive: true }),
    );
  }
  for (const file of [...libraries.outputFiles, ...result.outputFiles]) {
    await replace(join(values.out, file.path.split('/').pop()), file.contents);
  }
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
