import type { Cidr } from './cidr.js';
import type { Rule } from './profile.js';

export type PolicyDirection = 'Ingress' | 'Egress';

/** What happens to traffic of an endpoint that a tier selects and none of its policies decides. */
export type TierAction = 'Deny' | 'Pass';

/** A tier: policies that are asked together (datamodel §1.5). */
export interface Tier {
  readonly name: string;
  /** Lower is asked earlier; one without order is asked last, equals by name. */
  readonly order?: number;
  readonly defaultAction: TierAction;
}

export const DEFAULT_TIER = 'default';

/** A NetworkPolicy or, without namespace, a GlobalNetworkPolicy (datamodel §1.6). */
export interface NetworkPolicy {
  /** As the user names it, whatever the key's style. */
  readonly name: string;
  /** Absent for a global one. */
  readonly namespace?: string;
  readonly tier: string;
  /** Lower is asked earlier; one without order is asked last, equals by name. */
  readonly order?: number;
  /** Endpoints it applies to; `all()` when the user wrote none. */
  readonly selector: string;
  /** Of a global one: namespaces whose endpoints it applies to; absent: endpoints of none too. */
  readonly namespaceSelector?: string;
  readonly types: readonly PolicyDirection[];
  readonly ingress: readonly Rule[];
  readonly egress: readonly Rule[];
  /** Of host endpoints only, before connection tracking. */
  readonly doNotTrack: boolean;
  /** Of host endpoints only, before the destination is translated. */
  readonly preDNAT: boolean;
  /** Of host endpoints: forwarded traffic too. */
  readonly applyOnForward: boolean;
  /** Why it cannot be enforced as written, in words; then it denies all that it selects. */
  readonly unsupported: readonly string[];
}

/** A NetworkSet or, without namespace, a GlobalNetworkSet: networks that carry labels (datamodel §1.14). */
export interface NetworkSet {
  readonly name: string;
  readonly namespace?: string;
  readonly nets: readonly Cidr[];
  readonly labels: Readonly<Record<string, string>>;
}

/** A port that rules may name; several endpoints may mean different numbers by one name. */
export interface NamedPort {
  readonly name: string;
  /** As stored: `TCP`, `udp`, or a number. */
  readonly protocol: string | number;
  readonly port: number;
}

/** An interface of a host itself (datamodel §1.7). */
export interface HostEndpoint {
  readonly name: string;
  readonly node: string;
  /** `*`: every interface of the host; absent: found by `expectedIPs`. */
  readonly interfaceName?: string;
  /** Addresses, as text. */
  readonly expectedIPs: readonly string[];
  readonly profiles: readonly string[];
  readonly ports: readonly NamedPort[];
  readonly labels: Readonly<Record<string, string>>;
}
