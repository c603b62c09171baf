import type { Address } from './address.js';
import type { NamedPort } from './policy.js';
import type { PublishedPort } from './published-port.js';

/** A Calico WorkloadEndpoint, as any node of the cluster may have written it. */
export interface WorkloadEndpoint {
  readonly namespace: string;
  /** The computed object name (datamodel §1.8). */
  readonly name: string;
  readonly node: string;
  readonly orchestrator: string;
  readonly workload: string;
  /** Docker's EndpointID for ours. */
  readonly endpoint: string;
  readonly containerId: string;
  readonly interfaceName: string;
  readonly mac: string;
  readonly addresses: readonly Address[];
  /** Profile names in order. */
  readonly profiles: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Ports that rules may name. */
  readonly ports: readonly NamedPort[];
  /** `allowSpoofedSourcePrefixes`, as written. */
  readonly allowSpoofedSourcePrefixes: readonly string[];
}

/** An endpoint that this host's driver made: what the agent needs to wire and protect it. */
export interface LocalEndpoint {
  /** Docker's EndpointID. */
  readonly id: string;
  readonly networkId: string;
  /** Host end of the veth pair, `cali` + 11 characters. */
  readonly interfaceName: string;
  readonly interfaceIndex: number;
  readonly addresses: readonly Address[];
  /** The container end's MAC, lower case. */
  readonly mac: string;
  readonly namespace: string;
  readonly profiles: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Docker's SandboxKey: the same for all endpoints of one container; empty before Join. */
  readonly sandboxKey: string;
  /** Ports of the host that lead to it. */
  readonly published?: readonly PublishedPort[];
}
