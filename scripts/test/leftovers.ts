import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
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

/** Network namespaces by the processes in them: unnamed ones show up nowhere else. */
function processNamespaces(): string[] {
  const found = new Map<string, string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const namespace = readlinkSync(`/proc/${pid}/ns/net`);
      if (found.has(namespace)) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      found.set(namespace, `process ${pid}: ${command.slice(0, 120)}`);
    } catch {
      // The process ended meanwhile.
    }
  }
  return [...found].map(([namespace, process]) => `network namespace ${namespace} (${process})`);
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
  return [...list(root, /^calico-/), ...below].map((path) => `cgroup ${path}`);
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
    ...[...routes4, ...routes6].map(
      (line) => `route ${line.replace(/ expires \d+sec/, '').trim()}`,
    ),
    ...mounts.map((line) => `mount ${line.split(' ').slice(0, 3).join(' ')}`),
    ...list(tmpdir(), /^calico-/).map((path) => `file ${path}`),
    ...['/run/docker/plugins', '/run/calico', '/var/lib/calico'].flatMap((folder) =>
      list(folder).map((path) => `file ${path}`),
    ),
    ...processNamespaces(),
    ...cgroups(),
  ]);
}

/** What is there now and was not before. The kernel takes namespaces down late, so it is looked at for up to 10 s. */
export async function leftovers(before: Picture): Promise<string[]> {
  // A namespace inherited by a process that was there before is listed under another process then.
  const key = (line: string): string => line.replace(/ \(process .*/, '');
  const known = new Set([...before].map(key));
  for (let tries = 0; ; tries += 1) {
    const left = [...(await takePicture())].filter((line) => !known.has(key(line)));
    if (left.length === 0 || tries === 20) return left;
    await delay(500);
  }
}
