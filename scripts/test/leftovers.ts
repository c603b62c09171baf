import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Everything about the machine that a test could leave behind, one readable line each. */
type Picture = ReadonlySet<string>;

async function lines(program: string, ...args: readonly string[]): Promise<string[]> {
  try {
    const { stdout } = await run(program, [...args], { timeout: 10_000, maxBuffer: 1 << 26 });
    return stdout.split('\n').filter((line) => line.trim() !== '');
  } catch {
    // The program is missing or may not look (no root): then there is nothing to compare.
    return [];
  }
}

function list(directory: string, pattern = /./): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => pattern.test(name))
    .map((name) => join(directory, name));
}

/** Set for everything that the run starts, and inherited: a process that has it and outlives its test was left behind. */
export const RUN_MARK = 'CALICO_TEST_RUN';

function markedProcesses(): string[] {
  const mark = process.env[RUN_MARK];
  if (mark === undefined) return [];
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (Number(pid) === process.pid) continue;
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      if (!environment.includes(`${RUN_MARK}=${mark}`)) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      if (command !== '') found.push(`process ${pid}: ${command.slice(0, 120)}`);
    } catch {
      // The process ended meanwhile.
    }
  }
  return found;
}

/** Folders and control groups of this run's lab hosts, and whatever else is named after the project. */
function isOwnName(path: string): boolean {
  const name = path.split('/').at(-1) ?? '';
  return !name.startsWith('calico-lab-') || name.startsWith(`calico-lab-${process.env[RUN_MARK]}-`);
}

function cgroups(): string[] {
  const root = '/sys/fs/cgroup';
  const below = list(root).flatMap((controller) => {
    try {
      return list(controller, /^calico-/);
    } catch {
      return [];
    }
  });
  return [...list(root, /^calico-/), ...below].filter(isOwnName).map((path) => `cgroup ${path}`);
}

export async function takePicture(): Promise<Picture> {
  const [netns, links, ruleset, routes4, routes6] = await Promise.all([
    lines('ip', 'netns', 'list'),
    lines('ip', '-o', 'link', 'show'),
    lines('nft', '-s', 'list', 'ruleset'),
    lines('ip', '-4', 'route', 'show', 'table', 'all'),
    lines('ip', '-6', 'route', 'show', 'table', 'all'),
  ]);
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n').filter(Boolean);
  return new Set([
    ...netns.map((line) => `named network namespace ${line.split(' ')[0]}`),
    ...links.map((line) => `link ${line.split(':')[1]?.trim()}`),
    ...ruleset.filter((line) => /^table|^\tchain/.test(line)).map((line) => `nft ${line.trim()}`),
    // The kernel's own come and go with addresses, some of them late.
    ...[...routes4, ...routes6]
      .filter((line) => !line.includes('proto kernel'))
      .map((line) => `route ${line.replace(/ expires \d+sec/, '').trim()}`),
    ...mounts.map((line) => `mount ${line.split(' ').slice(0, 3).join(' ')}`),
    ...list(tmpdir(), /^calico-/)
      .filter(isOwnName)
      .map((path) => `file ${path}`),
    ...['/run/docker/plugins', '/run/calico', '/var/lib/calico'].flatMap((folder) =>
      list(folder).map((path) => `file ${path}`),
    ),
    ...markedProcesses(),
    ...cgroups(),
  ]);
}

/** What is there now and was not before. The kernel takes namespaces down late, so it is looked at for up to 10 s. */
export async function leftovers(before: Picture): Promise<string[]> {
  for (let tries = 0; ; tries += 1) {
    const left = [...(await takePicture())].filter((line) => !before.has(line));
    if (left.length === 0 || tries === 20) return left;
    await delay(500);
  }
}
