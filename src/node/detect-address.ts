import { Fault } from '../base/index.js';
import { bitsOf, Cidr, type Address, type Family } from '../model/index.js';
import type { Link, LinkAddress, Route } from '../netlink/index.js';

/** What the kernel said about this host, as values: detection itself asks nobody. */
export interface HostView {
  readonly links: readonly Link[];
  readonly addresses: readonly LinkAddress[];
  /** Main table, both families. */
  readonly routes: readonly Route[];
}

/** `IP_AUTODETECTION_METHOD` in parsed form. */
export type DetectionMethod =
  | { readonly kind: 'first-found' }
  | { readonly kind: 'can-reach'; readonly destination: string }
  | { readonly kind: 'interface'; readonly pattern: RegExp }
  | { readonly kind: 'skip-interface'; readonly pattern: RegExp }
  | { readonly kind: 'cidr'; readonly cidrs: readonly Cidr[] };

export interface FoundAddress {
  readonly address: Address;
  readonly prefix: number;
  readonly interfaceName: string;
}

export type Detection =
  | { readonly ok: true; readonly found: FoundAddress }
  | { readonly ok: false; readonly reason: DetectionReason; readonly message: string };

/** Why nothing was detected. */
export type DetectionReason = 'no-address' | 'no-matching-interface' | 'no-route';

/** Calico's own exclusions, and Docker's gateway bridge and macvtap, which it does not know. */
const EXCLUDED =
  /^(?:docker|cbr|dummy|podman|virbr|lxcbr|veth|lo$|br-|cali|tunl|flannel|kube-ipvs|cni|vxlan\.calico|vxlan-v6\.calico|wireguard\.cali|wg-v6\.cali|nodelocaldns|macvtap)/;
/** Never a host's address, even when a setting names an interface or network that matches. */
const OURS = /^(?:cali|tunl0$|vxlan\.calico|vxlan-v6\.calico|wireguard\.cali|wg-v6\.cali)/;

/** Reads `IP_AUTODETECTION_METHOD`; empty means `first-found`. `setting` names the variable in messages. */
export function parseDetectionMethod(text: string, setting: string): DetectionMethod {
  const [word = '', ...rest] = text.trim().split('=');
  const value = rest.join('=').trim();
  const needsValue = word !== '' && word !== 'first-found';
  if (needsValue && value === '') throw badMethod(text, setting);
  switch (word) {
    case '':
    case 'first-found':
      return { kind: 'first-found' };
    case 'can-reach':
      return { kind: 'can-reach', destination: value };
    case 'interface':
    case 'skip-interface':
      return { kind: word, pattern: parsePattern(value, setting) };
    case 'cidr':
      return { kind: 'cidr', cidrs: value.split(',').map((cidr) => Cidr.parse(cidr.trim())) };
    default:
      throw badMethod(text, setting);
  }
}

function badMethod(text: string, setting: string): Fault {
  const known = 'first-found, can-reach=HOST, interface=REGEX, skip-interface=REGEX or cidr=CIDR';
  return new Fault('invalid', `${setting} is "${text}"; use ${known}`, { reason: 'bad-setting' });
}

/** Comma separated alternatives, searched unanchored: the order in which they stand means nothing (Calico). */
function parsePattern(text: string, setting: string): RegExp {
  const parts = text.split(',').map((part) => part.trim());
  try {
    return new RegExp(parts.map((part) => `(?:${part})`).join('|'));
  } catch (error) {
    const message = `${setting} has "${text}", which is no regular expression; use names such as eth0 or ens.*`;
    throw new Fault('invalid', message, { reason: 'bad-setting', cause: error });
  }
}

/**
 * The host's own address by one method. `source` is the address that the kernel would use towards the
 * destination of `can-reach`; other methods do not look at it.
 *
 * Calico walks interfaces from the newest to the oldest. Here the interface of the default route comes
 * first and the others follow by age, so that a later second card does not take the node's address away.
 */
export function detectAddress(
  method: DetectionMethod,
  family: Family,
  view: HostView,
  source?: Address,
): Detection {
  switch (method.kind) {
    case 'first-found':
      return firstOf(view, family, (link) => !EXCLUDED.test(link.name));
    case 'skip-interface':
      return firstOf(
        view,
        family,
        (link) => !EXCLUDED.test(link.name) && !method.pattern.test(link.name),
      );
    case 'interface':
      return byInterface(view, family, method.pattern);
    case 'cidr':
      return firstOf(
        view,
        family,
        (link) => !OURS.test(link.name),
        (address) => method.cidrs.some((cidr) => cidr.contains(address)),
      );
    case 'can-reach':
      return bySource(view, family, method.destination, source);
  }
}

function byInterface(view: HostView, family: Family, pattern: RegExp): Detection {
  const named = view.links.filter((link) => pattern.test(link.name) && !OURS.test(link.name));
  if (named.length > 0) return firstOf(view, family, (link) => named.includes(link));
  const names = view.links.map((link) => link.name).join(', ');
  const message = `no interface matches ${pattern.source}; the host has ${names || 'none'}`;
  return { ok: false, reason: 'no-matching-interface', message };
}

function bySource(
  view: HostView,
  family: Family,
  destination: string,
  source?: Address,
): Detection {
  if (source === undefined || source.family !== family || !isUsable(source)) {
    const message = `no IPv${family} route leads to ${destination}; name a destination this host can reach`;
    return { ok: false, reason: 'no-route', message };
  }
  const holder = view.addresses.find((entry) => entry.address.equals(source));
  const link = view.links.find((candidate) => candidate.index === holder?.index);
  const prefix = holder?.prefix ?? bitsOf(family);
  return { ok: true, found: { address: source, prefix, interfaceName: link?.name ?? '' } };
}

function firstOf(
  view: HostView,
  family: Family,
  wantsLink: (link: Link) => boolean,
  wantsAddress: (address: Address) => boolean = () => true,
): Detection {
  for (const link of inPreference(view, family)) {
    if (!link.up || !wantsLink(link)) continue;
    const entry = view.addresses.find(
      ({ index, address }) =>
        index === link.index &&
        address.family === family &&
        isUsable(address) &&
        wantsAddress(address),
    );
    if (entry === undefined) continue;
    return {
      ok: true,
      found: { address: entry.address, prefix: entry.prefix, interfaceName: link.name },
    };
  }
  const seen = view.addresses
    .filter(({ address }) => address.family === family && isUsable(address))
    .map(({ address, index }) => `${address} on ${nameOf(view, index)}`);
  const message = `no usable IPv${family} address of this host; found ${seen.join(', ') || 'none'}`;
  return { ok: false, reason: 'no-address', message };
}

function nameOf(view: HostView, index: number): string {
  return view.links.find((link) => link.index === index)?.name ?? `interface ${index}`;
}

function inPreference(view: HostView, family: Family): readonly Link[] {
  const uplinks = view.routes
    .filter((route) => route.destination.family === family && route.destination.prefix === 0)
    .sort((one, other) => (one.metric ?? 0) - (other.metric ?? 0))
    .map((route) => route.interfaceIndex);
  const rank = (link: Link): number => {
    const place = uplinks.indexOf(link.index);
    return place < 0 ? uplinks.length : place;
  };
  return [...view.links].sort((one, other) => rank(one) - rank(other) || one.index - other.index);
}

const UNUSABLE = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/127',
  'fe80::/10',
  'ff00::/8',
].map((text) => Cidr.parse(text));

/** Global unicast as Go means it (private ranges count), so neither loopback, link-local nor multicast. */
export function isUsable(address: Address): boolean {
  return !UNUSABLE.some((cidr) => cidr.contains(address));
}
