import type { Settings } from './schema.js';

/** Calico's variables about a default pool, as texts; absent means Calico's default. */
export interface PoolTexts {
  readonly cidr?: string;
  readonly ipip?: string;
  readonly vxlan?: string;
  readonly blockSize?: string;
  readonly nodeSelector?: string;
  readonly natOutgoing?: string;
  readonly disableBgpExport?: string;
}

/** Calico's variables about this node, as texts; the node room understands them. */
export interface NodeTexts {
  readonly ip?: string;
  readonly ip6?: string;
  readonly as?: string;
  readonly ipAutodetectionMethod?: string;
  readonly ip6AutodetectionMethod?: string;
  readonly noDefaultPools: boolean;
  readonly ipv4Pool: PoolTexts;
  readonly ipv6Pool: PoolTexts;
  readonly checkAddressConflicts: boolean;
}

export function nodeTexts(settings: Settings): NodeTexts {
  return {
    ...present({
      ip: settings.ip,
      ip6: settings.ip6,
      as: settings.as,
      ipAutodetectionMethod: settings.ipAutodetectionMethod,
      ip6AutodetectionMethod: settings.ip6AutodetectionMethod,
    }),
    noDefaultPools: settings.noDefaultPools,
    checkAddressConflicts: settings.checkAddressConflicts,
    ipv4Pool: present({
      cidr: settings.ipv4PoolCidr,
      ipip: settings.ipv4PoolIpip,
      vxlan: settings.ipv4PoolVxlan,
      blockSize: settings.ipv4PoolBlockSize,
      nodeSelector: settings.ipv4PoolNodeSelector,
      natOutgoing: settings.ipv4PoolNatOutgoing,
      disableBgpExport: settings.ipv4PoolDisableBgpExport,
    }),
    ipv6Pool: present({
      cidr: settings.ipv6PoolCidr,
      vxlan: settings.ipv6PoolVxlan,
      blockSize: settings.ipv6PoolBlockSize,
      nodeSelector: settings.ipv6PoolNodeSelector,
      natOutgoing: settings.ipv6PoolNatOutgoing,
      disableBgpExport: settings.ipv6PoolDisableBgpExport,
    }),
  };
}

function present<K extends string>(texts: Readonly<Record<K, string>>): Partial<Record<K, string>> {
  return Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== '')) as Partial<
    Record<K, string>
  >;
}
