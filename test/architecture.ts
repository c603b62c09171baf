import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import t from 'tap';
import { daemonSchema } from '../src/config/index.js';
import {
  emptyNames,
  HARD_LINES,
  longFiles,
  modelMayUse,
  restrictedModules,
  restrictedTexts,
  rooms,
  SOFT_LINES,
} from './fixtures/architecture-rules.js';
import { readSources, type SourceFile, type SourceImport } from './fixtures/source-imports.js';

const sources = readSources();
const inside = (path: string, places: readonly string[]): boolean =>
  places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place));
/** Files directly in src/ are the composition: they know every room, but speak no package themselves. */
const isRoot = (file: SourceFile): boolean => file.room === '';

/** What is wrong with one import, or undefined. */
function importFault(file: SourceFile, one: SourceImport): string | undefined {
  if (one.package !== undefined) {
    if (rooms[file.room]?.packages.includes(one.package) === true) return undefined;
    return `the package ${one.package} is not for the room ${file.room || 'src'}`;
  }
  if (one.target === undefined || one.target.room === file.room || isRoot(file)) return undefined;
  // The version number has one source.
  if (one.target.path === '../package.json') return undefined;
  const { path, room } = one.target;
  const rule = rooms[file.room];
  if (rule === undefined) return `${file.room || 'src'} is no room of the table`;
  const narrow = rule.narrow?.[room];
  const name = file.path.slice(file.room.length + 1);
  if (!rule.imports.includes(room) && narrow?.includes(name) !== true) {
    return `${file.room} may not import ${room || path}`;
  }
  if (room === 'base') {
    return file.room === 'model' && !modelMayUse.includes(path)
      ? `of base, the model may use only ${modelMayUse.join(' and ')}`
      : undefined;
  }
  // A room inside a room sees its parent's files; everybody else takes the door.
  if (file.room.startsWith(`${room}/`)) return undefined;
  return path === `${room}/index.ts` ? undefined : `${one.specifier} goes past the door of ${room}`;
}

t.test('imports follow the table of rooms', async (t) => {
  const faults = sources.flatMap((file) =>
    file.imports.flatMap((one) => {
      const fault = importFault(file, one);
      return fault === undefined ? [] : [`src/${file.path}: ${fault}`];
    }),
  );
  t.same(faults, []);
});

t.test('doors only re-export', async (t) => {
  const doors = sources.filter((file) => basename(file.path) === 'index.ts');
  t.ok(doors.length > 0);
  const odd = doors.filter((file) =>
    /^(?!export (?:type )?(?:\*|\{)|\s|\}|\/\/|\/\*\*| \*|$).+/m.test(file.text),
  );
  t.same(
    odd.map((file) => file.path),
    [],
  );
});

t.test("plugin files stay out of the doors' importers", async (t) => {
  // ipam and driver know rpc only in their plugin file; cli and reconcile must not pull fastify in with ipam's door.
  const users = sources.filter((file) => ['cli', 'reconcile'].includes(file.room));
  const faults = users.filter((file) =>
    file.imports.some((one) => one.target?.path === 'ipam/plugin.ts'),
  );
  t.same(
    faults.map((file) => file.path),
    [],
  );
});

t.test('risky modules are imported only where they belong', async (t) => {
  const faults = sources.flatMap((file) =>
    file.imports
      .filter((one) => restrictedModules[one.specifier] !== undefined)
      .filter((one) => !inside(file.path, restrictedModules[one.specifier] ?? []))
      .map((one) => `src/${file.path} imports ${one.specifier}`),
  );
  t.same(faults, []);
  const bare = sources.flatMap((file) =>
    file.imports
      .filter((one) =>
        /^(?:fs|path|net|http|os|util|events|crypto|stream|child_process)(?:\/|$)/.test(
          one.specifier,
        ),
      )
      .map((one) => `src/${file.path} imports ${one.specifier} without node:`),
  );
  t.same(bare, []);
});

t.test('clock, environment and host name have one source', async (t) => {
  const faults = sources.flatMap((file) =>
    restrictedTexts
      .filter(({ text, allowed }) => !inside(file.path, allowed) && text.test(file.text))
      .map(({ what }) => `src/${file.path} reads ${what} itself`),
  );
  t.same(faults, []);
});

t.test('files keep their budget', async (t) => {
  const long = sources.filter((file) => file.lines > SOFT_LINES);
  t.same(
    long
      .filter((file) => longFiles[file.path] === undefined)
      .map((file) => `src/${file.path}: ${file.lines} lines`),
    [],
    `over ${SOFT_LINES} lines only with a reason in architecture-rules.ts`,
  );
  t.same(
    long
      .filter((file) => file.lines > HARD_LINES)
      .map((file) => `src/${file.path}: ${file.lines} lines`),
    [],
    `never over ${HARD_LINES} lines`,
  );
  const paths = new Set(long.map((file) => file.path));
  t.same(
    Object.keys(longFiles).filter((path) => !paths.has(path)),
    [],
    'no stale exception',
  );
});

t.test('names say what is inside', async (t) => {
  const tracked = execFileSync('git', ['ls-files', 'src', 'test', 'bench', 'scripts'], {
    encoding: 'utf8',
  });
  const paths = tracked.split('\n').filter((path) => /\.m?ts$/.test(path));
  const parts = new Set(paths.flatMap((path) => path.replace(/\.m?ts$/, '').split('/')));
  t.same(
    [...parts].filter((part) => emptyNames.includes(part)),
    [],
    'no empty names',
  );
  t.same(
    [...parts].filter((part) => !/^[a-z0-9.]+(?:-[a-z0-9.]+)*$/.test(part)),
    [],
    'kebab-case',
  );
});

t.test('every folder of src stands in the code map', async (t) => {
  const map = readFileSync('CONTRIBUTING.md', 'utf8');
  const folders = new Set(
    sources.map((file) => dirname(file.path)).filter((folder) => folder !== '.'),
  );
  t.same(
    [...folders].filter((folder) => !map.includes(`\`src/${folder}\``)),
    [],
  );
  t.same(
    Object.keys(rooms).filter((room) => !map.includes(`\`src/${room}\``)),
    [],
    'and every room',
  );
});

t.test('no default exports, no enums, no namespaces', async (t) => {
  const faults = sources.filter((file) =>
    /^export default|^(?:export )?(?:const )?enum |^(?:export )?namespace /m.test(file.text),
  );
  t.same(
    faults.map((file) => file.path),
    [],
  );
});

t.test('the socket names are the same everywhere', async (t) => {
  const fallback = (key: 'pluginDir' | 'driverName' | 'ipamDriverName'): string =>
    String((daemonSchema.properties[key] as { readonly default?: unknown }).default);
  const socket = `${fallback('driverName')}.sock`;
  const plugin = JSON.parse(readFileSync('plugin.json', 'utf8')) as {
    readonly interface: { readonly socket: string; readonly types: readonly string[] };
  };
  t.equal(plugin.interface.socket, socket);
  t.same(plugin.interface.types, ['docker.networkdriver/1.0', 'docker.ipamdriver/1.0']);
  const unit = readFileSync('packaging/systemd/calico-libnetwork.socket', 'utf8');
  const streams = [...unit.matchAll(/^ListenStream=(.*)$/gm)].map(([, path]) => path);
  // The daemon tells passed sockets apart by this order.
  t.same(streams, [
    `${fallback('pluginDir')}/${socket}`,
    `${fallback('pluginDir')}/${fallback('ipamDriverName')}.sock`,
  ]);
});

t.test('nothing names a machine or a package registry', async (t) => {
  const names = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  const own = 'test/architecture.ts';
  const marks = [
    /\/work\/(?:main|shared)\b/,
    /(?<![}\w*])\/root\/(?!\.)[a-z]/,
    /registry\.[a-z]+\.(?:org|com|io)/,
    /"resolved": "http/,
  ];
  const faults = names
    .filter((name) => name !== own && !name.startsWith('test/fixtures/captures/'))
    .flatMap((name) => {
      const text = readFileSync(name, 'utf8');
      return marks
        .filter((mark) => mark.test(text))
        .map((mark) => `${name}: ${mark.exec(text)?.[0]}`);
    });
  t.same(faults, []);
});
