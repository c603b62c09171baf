import { createHash } from 'node:crypto';
import type { Family } from '../../model/index.js';

/** Into the container, or out of it; Calico's words for the two rule lists. */
export type Direction = 'ingress' | 'egress';
export const directions: readonly Direction[] = ['ingress', 'egress'];

/** Packet marks, the same bits that Felix uses first: accepted, passed to the next tier. */
export const ACCEPT_MARK = 0x10000;
export const PASS_MARK = 0x20000;
/** Everything but the two marks above. */
export const CLEAR_MARKS = 0xfffcffff;

export const FROM_WORKLOAD = 'from-wl';
export const TO_WORKLOAD = 'to-wl';

/** The chain that endpoints with this ordered list of profiles share. */
export function listChain(direction: Direction, profiles: readonly string[]): string {
  return `${direction === 'ingress' ? 'tl' : 'fl'}-${digest(JSON.stringify(profiles))}`;
}

/** The chain of a profile's rules; names that nft could not read, or that are long, are digested. */
export function profileChain(direction: Direction, profile: string): string {
  const kind = direction === 'ingress' ? 'pri' : 'pro';
  return /^[a-z0-9][a-z0-9.-]{0,99}$/.test(profile)
    ? `${kind}-${profile}`
    : `${kind}h-${digest(profile)}`;
}

/** The set of the addresses that a selector matches. */
export function selectorSet(family: Family, selectorId: string): string {
  return `s${family}-${selectorId.slice(2)}`;
}

/** The set of admitted sources, each with the interface it may come from. */
export function sourceSet(family: Family): string {
  return `own${family}`;
}

/** The set of all hosts' addresses. */
export function nodeSet(family: Family): string {
  return `nodes${family}`;
}

/** Free text as an nft comment: printable, no quotation marks, at most 100 characters of nft's 128. */
export function commentText(text: string): string {
  return text
    .replaceAll('"', "'")
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .slice(0, 100);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
