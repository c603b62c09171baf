import { exec, Fault, isFault, type ExecResult } from '../../base/index.js';
import type { Family } from '../../model/index.js';

/** Runs a program with an argument list; `exec` of base, or a recorder in tests. */
export type Run = (
  program: string,
  args: readonly string[],
  options: { readonly signal?: AbortSignal },
) => Promise<ExecResult>;

/** Why the accepts are where they are, or not needed. */
export type ForwardState =
  /** Docker's own chain has them. */
  | 'docker-user'
  /** No such chain, but FORWARD is not empty and open: they stand in FORWARD itself. */
  | 'forward'
  /** Nothing in iptables drops forwarded packets. */
  | 'not-needed'
  /** The host has no iptables program. */
  | 'no-iptables';

type Call = (...args: readonly string[]) => Promise<ExecResult>;

const PROGRAMS: Readonly<Record<Family, string>> = { 4: 'iptables', 6: 'ip6tables' };
const WAIT = ['-w', '5'];
const MARK = '0x10000/0x10000';
const COMMENT = 'calico-libnetwork';

/**
 * A packet that our table accepted still meets iptables' FORWARD, whose policy Docker sets to DROP
 * (node-agent §4.4, measured: 100 % loss). Two accepts for packets that carry our mark put that
 * right; what our table drops never gets there. Writes only what is missing; answers where they are.
 */
export async function ensureForwardAccepts(
  family: Family,
  signal?: AbortSignal,
  run: Run = exec,
): Promise<ForwardState> {
  const call: Call = (...args) =>
    run(PROGRAMS[family], [...WAIT, ...args], signal === undefined ? {} : { signal });
  let chain = 'DOCKER-USER';
  try {
    const listed = await call('-S', chain);
    if (listed.status !== 0) {
      const forward = await call('-S', 'FORWARD');
      if (forward.status !== 0) throw refused(family, forward);
      if (isOpen('FORWARD', forward.stdout)) return 'not-needed';
      chain = 'FORWARD';
    }
    for (const rule of accepts()) await ensure(family, call, chain, rule);
  } catch (error) {
    if (isFault(error, 'unavailable') && causeCode(error) === 'ENOENT') return 'no-iptables';
    throw error;
  }
  return chain === 'FORWARD' ? 'forward' : 'docker-user';
}

/** A packet for the host itself that our table takes from a known host. */
export interface HostOpening {
  /** iptables' words, such as `-p udp --dport 4789`. */
  readonly match: readonly string[];
  /** nft's words, such as `udp dport 4789`. */
  readonly nft: string;
}

/** Whether the openings are in INPUT. */
export type InputState =
  /** Nothing in INPUT drops anything. */
  'not-needed' | 'kept' | 'no-iptables';

export interface InputAccepts {
  readonly openings: readonly HostOpening[];
  /** Those of ours that are not among them go: false while it is not known yet what is wanted. */
  readonly close: boolean;
}

/**
 * The host's own firewall may drop what other hosts send into our tunnels. Our table has judged these packets before
 * and marked those of known hosts; one accept per opening for packets with the mark stands first in INPUT, when
 * INPUT is not empty and open anyway.
 */
export async function ensureInputAccepts(
  family: Family,
  { openings, close }: InputAccepts,
  signal?: AbortSignal,
  run: Run = exec,
): Promise<InputState> {
  const call: Call = (...args) =>
    run(PROGRAMS[family], [...WAIT, ...args], signal === undefined ? {} : { signal });
  try {
    const listed = await call('-S', 'INPUT');
    if (listed.status !== 0) throw refused(family, listed);
    if (close) await closeOthers(family, call, listed.stdout, openings);
    if (isOpen('INPUT', listed.stdout)) return 'not-needed';
    for (const { match } of openings) {
      await ensure(family, call, 'INPUT', [...match, ...MARKED]);
    }
  } catch (error) {
    if (isFault(error, 'unavailable') && causeCode(error) === 'ENOENT') return 'no-iptables';
    throw error;
  }
  return 'kept';
}

/** Takes our accepts out of INPUT that are for nothing wanted. */
async function closeOthers(
  family: Family,
  call: Call,
  listed: string,
  openings: readonly HostOpening[],
): Promise<void> {
  const wanted = new Set(openings.map(({ match }) => whatFor(match)));
  for (const line of listed.split('\n')) {
    const [append, chain = '', ...rule] = line.trim().split(' ');
    if (append !== '-A' || !rule.includes(COMMENT) || wanted.has(whatFor(rule))) continue;
    const deleted = await call('-D', chain, ...rule);
    if (deleted.status !== 0) throw refused(family, deleted);
  }
}

/** Protocol and port; protocols without ports have as many names as there are files that name them. */
function whatFor(rule: readonly string[]): string {
  const after = (word: string): string | undefined =>
    rule.includes(word) ? rule[rule.indexOf(word) + 1] : undefined;
  const port = after('--dport');
  return port === undefined ? 'IP in IP' : `${after('-p')} ${port}`;
}

/** Nothing but accepts of ours is in the chain, and it accepts what is left. */
function isOpen(chain: string, listed: string): boolean {
  const lines = listed.split('\n').filter((line) => line.trim() !== '' && !line.includes(COMMENT));
  return lines.length === 1 && lines[0] === `-P ${chain} ACCEPT`;
}

const MARKED = [
  ...['-m', 'mark', '--mark', MARK],
  ...['-m', 'comment', '--comment', COMMENT],
  ...['-j', 'ACCEPT'],
];

function accepts(): string[][] {
  return (['-i', '-o'] as const).map((side) => [side, 'cali+', ...MARKED]);
}

async function ensure(
  family: Family,
  call: Call,
  chain: string,
  rule: readonly string[],
): Promise<void> {
  if ((await call('-C', chain, ...rule)).status === 0) return;
  const inserted = await call('-I', chain, '1', ...rule);
  if (inserted.status !== 0) throw refused(family, inserted);
}

function causeCode(fault: Fault): unknown {
  return fault.cause instanceof Error && 'code' in fault.cause ? fault.cause.code : undefined;
}

function refused(family: Family, result: ExecResult): Fault {
  const text = result.stderr.trim().split('\n', 1)[0] ?? '';
  return new Fault(
    'unavailable',
    `${PROGRAMS[family]} refused the accepts for container traffic: ${text === '' ? `status ${result.status}` : text}`,
    { reason: 'iptables' },
  );
}
