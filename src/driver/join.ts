import { Fault, isFault } from '../base/index.js';
import { Address, type Family } from '../model/index.js';
import type { EndpointRecord } from './endpoint-book.js';
import { requireNetwork, type EndpointsContext } from './context.js';
import { asProgrammed, shareGround } from './endpoint-changes.js';
import { routesOfJoin, subnetsOf } from './join-routes.js';
import type { Network } from './network-record.js';
import type { JoinBody } from './schema.js';

interface StaticRoute {
  readonly Destination: string;
  /** 0: through NextHop, 1: on the interface itself. */
  readonly RouteType: 0 | 1;
  readonly NextHop: string;
}

export interface JoinAnswer {
  readonly InterfaceName: { readonly SrcName: string; readonly DstPrefix: string };
  readonly Gateway?: string;
  readonly GatewayIPv6?: string;
  readonly StaticRoutes: readonly StaticRoute[];
  readonly DisableGatewayService?: boolean;
}

const MAX_SLOT = 254;
/** 169.254.1.0: the host holds the /24 on lo and answers ARP for all of it. */
const GATEWAY4_BASE = 0xa9fe0100n;
/** fe80::a9fe:100, the same numbers; each host end gets the one of its slot. */
const GATEWAY6_BASE = (0xfe80n << 112n) | 0xa9fe0100n;

/** The gateway that the container sees on the interface of this slot. */
export function gatewayOf(family: Family, slot: number): Address {
  return Address.fromValue(family, (family === 4 ? GATEWAY4_BASE : GATEWAY6_BASE) + BigInt(slot));
}

/**
 * Join: a gateway of its own for each interface of a container, because two with the same one collide;
 * then routes and policy into the kernel. No commit (architecture §3).
 */
export async function join(
  context: EndpointsContext,
  body: JoinBody,
  signal: AbortSignal,
): Promise<JoinAnswer> {
  requireNetwork(requireEndpoint(context, body.EndpointID), body.NetworkID);
  const network = await context.networks.require(body.NetworkID, { signal });
  // Again: it may have been deleted meanwhile, and from here to the agent nothing is waited for.
  const record = requireEndpoint(context, body.EndpointID);
  const joined =
    record.sandboxKey === body.SandboxKey && record.slot > 0
      ? record
      : placed(context, record, network, body.SandboxKey);
  context.book.put(joined);
  context.book.persist(joined);
  await context.programmer.program(asProgrammed(context, joined), signal);
  await shareGround(context, joined.sandboxKey, signal);
  if (joined.endpoint.addresses.some(({ family }) => family === 6)) {
    await addGateway6(context, joined);
  }
  return joinAnswer(context, joined, network);
}

export function requireEndpoint({ book }: EndpointsContext, id: string): EndpointRecord {
  const record = book.get(id);
  if (record !== undefined && !record.going) return record;
  throw new Fault(
    'not-found',
    `endpoint ${id.slice(0, 12)} does not exist on this host; start the container again`,
    { reason: 'unknown-endpoint' },
  );
}

/** The container's IPv6 gateway lives on its host end; a repeated Join finds it there. */
async function addGateway6({ netlink }: EndpointsContext, record: EndpointRecord): Promise<void> {
  try {
    await netlink.addAddress(record.interfaceIndex, gatewayOf(6, record.slot), 64);
  } catch (error) {
    if (!isFault(error, 'exists')) throw error;
  }
}

function placed(
  context: EndpointsContext,
  record: EndpointRecord,
  network: Network,
  sandboxKey: string,
): EndpointRecord {
  const others = context.book.inSandbox(sandboxKey).filter(({ id }) => id !== record.id);
  const used = new Set(others.map(({ slot }) => slot));
  let slot = 1;
  while (used.has(slot)) slot += 1;
  if (slot > MAX_SLOT)
    throw new Fault('exhausted', `the container has ${MAX_SLOT} calico interfaces already`, {
      reason: 'no-slot',
    });
  const families = new Set(record.endpoint.addresses.map(({ family }) => family));
  const subnets = subnetsOf(context, network, families).map(String);
  const routed = routesOfJoin(context, network, { endpoint: record.endpoint, subnets }, others);
  return { ...record, networkId: network.networkId, sandboxKey, slot, subnets, routed };
}

function joinAnswer(
  context: EndpointsContext,
  record: EndpointRecord,
  network: Network,
): JoinAnswer {
  const { endpoint, slot } = record;
  const families = ([4, 6] as const).filter((family) =>
    endpoint.addresses.some((address) => address.family === family),
  );
  const routes = families.flatMap((family): StaticRoute[] => {
    const gateway = gatewayOf(family, slot);
    const connected = {
      Destination: `${gateway}/${family === 4 ? 32 : 128}`,
      RouteType: 1,
      NextHop: '',
    } as const;
    const through = record.routed
      .filter((cidr) => cidr.includes(':') === (family === 6))
      .map((cidr) => ({ Destination: cidr, RouteType: 0, NextHop: gateway.toString() }) as const);
    return [connected, ...through];
  });
  return {
    InterfaceName: {
      SrcName: `temp${record.id.slice(0, 11)}`,
      DstPrefix: context.settings.interfacePrefix,
    },
    ...(!network.internal && families.includes(4)
      ? { Gateway: gatewayOf(4, slot).toString() }
      : {}),
    ...(!network.internal && families.includes(6)
      ? { GatewayIPv6: gatewayOf(6, slot).toString() }
      : {}),
    StaticRoutes: routes,
    // Engines before 28 look at the IPv4 gateway only and would add a second way out, around our policy.
    ...(network.internal || !families.includes(4) ? { DisableGatewayService: true } : {}),
  };
}
