import { checkTable } from './check-table.js';
import { listHostInterfaces } from './host-interfaces.js';
import { isWorkloadInterface } from './local-programmer.js';
import type { LoopPart } from './loop.js';
import { chainsOf } from './policy/index.js';
import type { AgentOptions } from './ports.js';
import { ensureHostSettings, hasIpv6, type HostSettings } from './routes/index.js';
import { lookAtTable } from './take-over.js';
import type { PartName, Wiring } from './wiring.js';

/** What the parts find out on their way. */
export interface Progress {
  /** All that is wanted is known: what is not may be removed from the kernel. */
  complete: boolean;
  host: HostSettings | undefined;
  /** Ask iptables at the next look, whatever its chains look like. */
  forceForward: boolean;
  /** Of the policy, when connections were last held against it. */
  cutRevision: number;
  /** How often the table had been replaced then. */
  cutReplaced: number;
  /** Monotonic milliseconds at which settings of all interfaces were last seen to be right. */
  settingsCompared: number;
  /** Endpoints of this host that only the store knew. */
  readonly adopted: Set<string>;
  /** Settles when `complete` is set. */
  readonly completed: Promise<void>;
  readonly resolveCompleted: () => void;
  /** Settles when changes that others make to rules are heard. */
  readonly listening: Promise<void>;
  readonly resolveListening: () => void;
}

export function newProgress(): Progress {
  let resolveCompleted = (): void => undefined;
  let resolveListening = (): void => undefined;
  const completed = new Promise<void>((resolve) => (resolveCompleted = resolve));
  const listening = new Promise<void>((resolve) => (resolveListening = resolve));
  return {
    ...{
      complete: false,
      host: undefined,
      forceForward: true,
      cutRevision: 0,
      cutReplaced: 0,
      settingsCompared: -Infinity,
      adopted: new Set<string>(),
    },
    ...{ completed, resolveCompleted, listening, resolveListening },
  };
}

/** Chains without endpoints stay this long: the next container of the network wants them again. */
const IDLE_CHAINS_MS = 60_000;

/**
 * Interfaces' settings are some ten files each: several looks at the kernel that come together, as at a start, take
 * one of them along. The periodic look is rarer than this.
 */
const SETTINGS_EVERY_MS = 30_000;

interface Context {
  readonly wiring: Wiring;
  readonly options: AgentOptions;
  readonly progress: Progress;
  readonly mark: (...parts: readonly PartName[]) => void;
}

/**
 * Parts that walk large tables of the kernel, in a loop of their own: they never hold up a change of
 * the rules.
 */
export function slowParts(context: Context): readonly LoopPart<PartName>[] {
  return [{ name: 'flows', settleMs: 20, apply: () => applyFlows(context) }];
}

/** The parts of the loop, in the order in which they are applied. */
export function loopParts(context: Context): readonly LoopPart<PartName>[] {
  return [
    { name: 'complete', settleMs: 0, apply: () => applyComplete(context) },
    { name: 'interfaces', settleMs: 5, apply: () => applyInterfaces(context) },
    { name: 'table', settleMs: 5, apply: () => applyTable(context) },
    { name: 'host', settleMs: 0, apply: () => applyHost(context) },
    { name: 'tunnels', settleMs: 5, apply: () => applyTunnels(context) },
    { name: 'remote', settleMs: 5, apply: () => applyRemote(context) },
    { name: 'repair', settleMs: 20, apply: () => context.wiring.routes.repair() },
    { name: 'compare', settleMs: 20, apply: () => applyCompare(context) },
    { name: 'forward', settleMs: 200, apply: (signal) => applyForward(context, signal) },
  ];
}

/** The store's first snapshot is in: from now on the kernel gets exactly what is wanted. */
async function applyComplete({ wiring, options, progress, mark }: Context): Promise<void> {
  if (progress.complete || !wiring.view.inSync) return;
  // What is adopted is wanted shut until the lists are there: the shorter that is, the better.
  const kernel = await lookAtTable(wiring, options.log, progress.listening);
  await adopt(wiring, options, progress);
  await applyInterfaces({ wiring, options, progress, mark });
  wiring.policy.begin(kernel && chainsOf(kernel.elements));
  progress.complete = true;
  wiring.writer.takeOver();
  wiring.remote.render();
  mark('table', 'tunnels', 'remote', 'compare', 'forward');
  progress.resolveCompleted();
}

/** Which interface is whose matters to host endpoints only. */
async function applyInterfaces({ wiring, options, mark }: Context): Promise<void> {
  if (wiring.policy.hostEndpoints.count === 0) return;
  wiring.policy.setInterfaces(await listHostInterfaces(options.netlink));
  if (wiring.writer.dirty) mark('table');
}

async function applyTable({ wiring: { writer, policy }, progress, mark }: Context): Promise<void> {
  await writer.begin();
  if (writer.dirty) await writer.flush();
  const held = policy.revision === progress.cutRevision;
  // What a replacement let pass in its first microseconds has no right to go on.
  if (progress.complete && !(held && writer.status.replaced === progress.cutReplaced))
    mark('flows');
}

/** Connections of before a change of policy. While the kernel lacks rules, they would only come back. */
async function applyFlows({ wiring, progress }: Context): Promise<void> {
  const { writer, policy, cutter } = wiring;
  if (!progress.complete) return;
  const { revision } = policy;
  if (writer.dirty || writer.busy) await writer.flush();
  const { replaced } = writer.status;
  await cutter.cut();
  progress.cutRevision = revision;
  progress.cutReplaced = replaced;
}

/** Before the first snapshot nobody knows which tunnels are wanted. */
async function applyTunnels({ wiring, progress, mark }: Context): Promise<void> {
  if (!progress.complete) return;
  try {
    await wiring.tunnels.apply(true);
  } finally {
    if (wiring.remoteRoutes.setDevices(wiring.tunnels.devices)) mark('remote');
  }
}

async function applyRemote({ wiring, progress }: Context): Promise<void> {
  if (progress.complete) await wiring.remoteRoutes.apply(true);
}

async function applyHost({ wiring, options, progress }: Context): Promise<void> {
  const host = ensureHostSettings(wiring.sys, usesIpv6(wiring, options));
  if (host.written.length > 0) options.log.info({ settings: host.written }, 'set kernel settings');
  for (const warning of host.warnings) {
    if (progress.host?.warnings.includes(warning) !== true) options.log.warn(warning);
  }
  progress.host = host;
}

async function applyCompare({ wiring, options, progress, mark }: Context): Promise<void> {
  const { clock } = wiring;
  const { compareEveryMs = SETTINGS_EVERY_MS } = options.settings;
  const pause = Math.min(SETTINGS_EVERY_MS, compareEveryMs / 2);
  const settings = clock.monotonic() - progress.settingsCompared >= pause;
  await wiring.routes.compare(progress.complete, settings);
  if (settings) progress.settingsCompared = clock.monotonic();
  if (progress.complete) {
    wiring.tunnels.doubt();
    await applyTunnels({ wiring, options, progress, mark });
    await wiring.remoteRoutes.compare(true);
  }
  wiring.policy.tidy(IDLE_CHAINS_MS);
  wiring.book.tidy();
  await checkTable(wiring, options);
  if (wiring.writer.dirty) mark('table');
}

async function applyForward(context: Context, signal: AbortSignal): Promise<void> {
  const { wiring, options, progress } = context;
  if (options.settings.iptables === false) return;
  const force = progress.forceForward;
  progress.forceForward = false;
  try {
    const families = usesIpv6(wiring, options) ? ([4, 6] as const) : ([4] as const);
    const { openings, knowsListeners } = wiring.remote;
    const close = progress.complete && knowsListeners;
    await wiring.forward.ensure({ families, openings, close, force }, signal);
  } catch (error) {
    progress.forceForward = true;
    throw error;
  }
}

function usesIpv6(wiring: Wiring, options: AgentOptions): boolean {
  const { ipv6 = 'auto' } = options.settings;
  return ipv6 === 'auto' ? hasIpv6(wiring.sys) : ipv6 === 'on';
}

/**
 * Endpoints that the store says are here and that the driver has no record of, when their interface
 * is there: those of a predecessor, or of a driver that lost its records. They go on being served.
 */
async function adopt(wiring: Wiring, options: AgentOptions, progress: Progress): Promise<void> {
  const unclaimed = wiring.book.unclaimed();
  if (unclaimed.length === 0) return;
  const links = new Map((await options.netlink.links()).map((link) => [link.name, link]));
  for (const [id, endpoint] of unclaimed) {
    const link = links.get(endpoint.interfaceName);
    if (link?.kind !== 'veth' || !isWorkloadInterface(link.name)) continue;
    options.log.info(
      { endpoint: id, interface: link.name },
      'serving an endpoint that only the store knows',
    );
    progress.adopted.add(id);
    wiring.programmer.restore({
      id,
      networkId: '',
      interfaceName: endpoint.interfaceName,
      interfaceIndex: link.index,
      addresses: endpoint.addresses,
      mac: endpoint.mac,
      namespace: endpoint.namespace,
      profiles: endpoint.profiles,
      labels: endpoint.labels,
      sandboxKey: '',
    });
  }
}
