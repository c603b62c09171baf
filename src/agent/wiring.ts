import { systemClock, type Clock } from '../base/index.js';
import type { Address } from '../model/index.js';
import { AddressGuard } from './address-guard.js';
import { BgpPart } from './bgp-part.js';
import { ClusterFeed } from './cluster-feed.js';
import { ClusterView } from './cluster-view.js';
import { EndpointBook } from './endpoint-book.js';
import { FlowCutter } from './flow-cutter.js';
import { ForwardKeeper } from './forward-keeper.js';
import { LocalProgrammer } from './local-programmer.js';
import { Policy } from './policy/index.js';
import type { AgentOptions } from './ports.js';
import { isolateBadRules } from './probe-rules.js';
import { ProfileBook } from './profile-book.js';
import { RemoteFeed } from './remote-feed.js';
import {
  ClusterRoutes,
  openProcSys,
  RemoteRouteKeeper,
  RouteKeeper,
  type ProcSys,
} from './routes/index.js';
import { PortHolder, PublishedPorts } from './nat/index.js';
import { DesiredTable } from './table.js';
import { TableWriter } from './table-writer.js';
import { TunnelKeeper } from './tunnels/index.js';

/** The agent's working parts, each knowing only those it needs. */
export interface Wiring {
  readonly clock: Clock;
  readonly sys: ProcSys;
  readonly table: DesiredTable;
  readonly policy: Policy;
  readonly profiles: ProfileBook;
  readonly routes: RouteKeeper;
  readonly remoteRoutes: RemoteRouteKeeper;
  readonly tunnels: TunnelKeeper;
  readonly remote: RemoteFeed;
  readonly writer: TableWriter;
  readonly guard: AddressGuard;
  readonly holder: PortHolder;
  readonly published: PublishedPorts;
  readonly book: EndpointBook;
  readonly programmer: LocalProgrammer;
  readonly view: ClusterView;
  readonly forward: ForwardKeeper;
  /** Has a loop of its own. */
  readonly bgp: BgpPart | undefined;
  readonly cutter: FlowCutter;
}

/** What parts of the kernel are kept, each marked and applied on its own. */
export type PartName =
  | 'complete'
  | 'flows'
  | 'interfaces'
  | 'table'
  | 'host'
  | 'tunnels'
  | 'remote'
  | 'repair'
  | 'compare'
  | 'forward';

const TABLE = 'calico-libnetwork';

/** `mark` is called when a part may differ from what is wanted. */
export function wireAgent(
  options: AgentOptions,
  stopping: AbortSignal,
  mark: (...parts: readonly PartName[]) => void,
): Wiring {
  const { settings, netlink, nft, log, clock = systemClock, meter } = options;
  const sys = openProcSys(settings.procRoot ?? '/proc');
  const table = new DesiredTable(settings.tableName ?? TABLE);
  const hostReach = settings.hostReach ?? 'own';
  const life = `${clock.now().toString(36)}-`;
  const policy = new Policy(table, { hostReach, waits: true, life }, () => clock.monotonic());
  const profiles = new ProfileBook(policy);
  const routes = new RouteKeeper({ netlink, sys, log });
  const isolate = (): Promise<boolean> => isolateBadRules(nft, policy, log);
  const writer = new TableWriter({ nft, table, clock, log, isolate });
  const guard = new AddressGuard(netlink, log, stopping);
  const book = new EndpointBook(clock);
  const holder = new PortHolder(log);
  const published = new PublishedPorts(table, holder);
  const forward = new ForwardKeeper(nft, options.exec);
  const markDirty = (): void => mark('table', 'compare');
  const clusterRoutes = new ClusterRoutes({ nodeName: settings.nodeName });
  const isLocal = (address: Address): boolean => routes.hasAddress(address);
  const remoteRoutes = new RemoteRouteKeeper({ netlink, log, routes: clusterRoutes, isLocal });
  const tunnels = new TunnelKeeper({ nodeName: settings.nodeName, netlink, log });
  let bgp: BgpPart | undefined = undefined;
  const remote = new RemoteFeed({
    ...{ settings, table, routes: clusterRoutes, tunnels },
    onPlainRoutes: () => bgp?.refresh(),
    onDirty: (...parts) => mark(...parts),
  });
  const programmer = new LocalProgrammer({
    ...{ book, policy, routes, published, guard, writer, netlink, clock, log, stopping, meter },
    markDirty,
    onAddresses: (addresses) => remote.touch(addresses),
  });
  const { nodeName } = settings;
  const feed = new ClusterFeed({
    ...{ nodeName, table, policy, profiles, book, programmer, guard, remote },
    hostSettings: settings.host ?? {},
    onDirty: () => mark('table'),
    onHostEndpoints: () => mark('interfaces'),
    onInSync: () => mark('complete'),
  });
  const view = new ClusterView(feed, log);
  const plainRoutes = (): boolean => remote.plainRoutes;
  bgp =
    settings.bgp &&
    new BgpPart({
      ...{ settings: settings.bgp, nodeName, netlink, log, clock, signal: stopping, plainRoutes },
      onListeners: (listeners) => remote.setListeners(listeners),
    });
  return {
    clock,
    sys,
    table,
    policy,
    profiles,
    routes,
    remoteRoutes,
    tunnels,
    remote,
    writer,
    guard,
    holder,
    published,
    book,
    programmer,
    view,
    forward,
    bgp,
    cutter: new FlowCutter(netlink, policy, log),
  };
}
