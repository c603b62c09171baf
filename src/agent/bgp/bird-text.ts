import { createHash } from 'node:crypto';
import { parseCommunity, type Cidr } from '../../model/index.js';

/** BIRD 2's forms of values. Nothing that comes from the datastore may leave its place in the text. */

/** Strings have no escapes in BIRD 2: what cannot stand between quotes is none. */
export function quotable(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return text !== '' && !/["\u0000-\u001f\u007f]/.test(text);
}

/** A symbol for any name: as it is where that is one, else made valid and told apart by a digest. */
export function symbolOf(prefix: string, name: string): string {
  const digest = createHash('sha1').update(name).digest('hex').slice(0, 8);
  return `${prefix}_${name.replaceAll(/[^A-Za-z0-9]/g, '_').slice(0, 32)}_${digest}`;
}

/** A set of networks; the empty set matches nothing. `+` takes what lies inside as well. */
export function netSet(cidrs: readonly Cidr[], suffix: '' | '+'): string {
  if (cidrs.length === 0) return '[ ]';
  return `[ ${cidrs.map((cidr) => `${cidr}${suffix}`).join(', ')} ]`;
}

/** Attribute and value of a community; undefined when the text is none. */
export function communityOf(
  text: string,
): { readonly attribute: string; readonly value: string } | undefined {
  const parts = parseCommunity(text);
  if (parts === undefined) return undefined;
  const attribute = parts.length === 2 ? 'bgp_community' : 'bgp_large_community';
  return { attribute, value: `(${parts.join(', ')})` };
}

/** Networks in order, each once. */
export function sortedCidrs(cidrs: Iterable<Cidr>): Cidr[] {
  const unique = new Map([...cidrs].map((cidr) => [cidr.toString(), cidr]));
  return [...unique.values()].sort((a, b) => a.compare(b));
}
