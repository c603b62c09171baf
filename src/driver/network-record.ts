import { Fault } from '../base/index.js';
import { Cidr } from '../model/index.js';

/** A network as stored below `/calico/docker/v1/networks/` (architecture §5) and as this host uses it. */
export interface Network {
  /** The record's key; the same for one network on every host that shares it. */
  readonly clusterId: string;
  /** Docker's NetworkID on this host. */
  readonly networkId: string;
  /** Empty until the inventory has learnt it. */
  readonly name: string;
  readonly internal: boolean;
  /** Docker's generic options. */
  readonly options: Readonly<Record<string, string>>;
  readonly subnets: readonly Cidr[];
  /** Families whose addresses come from any automatic pool, because the user gave no subnet. */
  readonly automatic: readonly (4 | 6)[];
  readonly poolIds: readonly string[];
  /** Host name → NetworkID there. */
  readonly hosts: Readonly<Record<string, string>>;
}

export interface StoredNetwork {
  readonly network: Network;
  readonly revision: bigint;
  /** The stored text: unknown members survive a rewrite. */
  readonly text: string;
}

/** One network's record is found from its NetworkID alone, so that repeated and unannounced calls find it. */
export function clusterIdOf(networkId: string): string {
  return networkId.slice(0, 32);
}

export function encodeNetwork(network: Network, previous?: string): string {
  const unknown: Record<string, unknown> = previous === undefined ? {} : parse(previous);
  return JSON.stringify({
    ...unknown,
    name: network.name,
    internal: network.internal,
    options: network.options,
    pools: network.subnets.map(String),
    automatic: network.automatic,
    poolIDs: network.poolIds,
    hosts: network.hosts,
  });
}

/** Throws `corrupt`. `networkId` is this host's, or the one that the call named. */
export function decodeNetwork(
  clusterId: string,
  text: string,
  node: string,
  networkId?: string,
): Network {
  const stored = parse(text);
  const hosts = record(stored['hosts']);
  return {
    clusterId,
    networkId: networkId ?? hosts[node] ?? Object.values(hosts)[0] ?? '',
    name: typeof stored['name'] === 'string' ? stored['name'] : '',
    internal: stored['internal'] === true,
    options: record(stored['options']),
    subnets: strings(stored['pools']).map((cidr) => Cidr.parse(cidr)),
    automatic: [4 as const, 6 as const].filter((family) =>
      list(stored['automatic']).includes(family),
    ),
    poolIds: strings(stored['poolIDs']),
    hosts,
  };
}

/**
 * Hosts that keep the network. A host that is not in the record deletes for all: with a cluster store Docker
 * creates and deletes on one host each (plugin protocol §3.2).
 */
export function othersOf({ hosts }: Network, node: string): Readonly<Record<string, string>> {
  if (hosts[node] === undefined) return {};
  return Object.fromEntries(Object.entries(hosts).filter(([host]) => host !== node));
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    throw new Fault('corrupt', 'a network record is not JSON', { cause: error });
  }
  throw new Fault('corrupt', 'a network record is no object');
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function strings(value: unknown): string[] {
  return list(value).filter((member) => typeof member === 'string');
}

function record(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      (member): member is [string, string] => typeof member[1] === 'string',
    ),
  );
}
