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

/** Where new endpoints go until the policies of the cluster are known. */
/** What a container must not send, whatever its policies say. */
export const ENCAPSULATED = 'encapsulated';
export const WAITING = 'waiting';

/** What containers send to their own host. */
export const TO_HOST = 'wl-to-host';

/** The chain of a host endpoint at one place of a packet's way. */
export function hostChain(gate: string, id: string): string {
  return named(`h-${gate}`, id);
}

/** A chain that endpoints with one ordered list of tiers and profiles share, by the list's own name. */
export function listChain(direction: Direction, name: string): string {
  return `${direction === 'ingress' ? 'tl' : 'fl'}-${name}`;
}

export function isListChain(direction: Direction, chain: string): boolean {
  return chain.startsWith(listChain(direction, '')) && /^[a-z0-9-]{1,40}$/.test(chain);
}

/** The chain of the policies of one tier, in order, that several lists may share. */
export function tierChain(direction: Direction, tier: TierContent): string {
  const { name, defaultAction, policies } = tier;
  const content = JSON.stringify({ name, defaultAction, policies });
  return `${direction === 'ingress' ? 'ti' : 'to'}-${digest(content)}`;
}

/** What makes one. */
export interface TierContent {
  readonly name: string;
  readonly defaultAction: string;
  /** IDs, in order. */
  readonly policies: readonly string[];
}

/** The chain of a profile's rules; names that nft could not read, or that are long, are digested. */
export function profileChain(direction: Direction, profile: string): string {
  return named(direction === 'ingress' ? 'pri' : 'pro', profile);
}

/** The chain of a policy's rules. @param id `name`, or `namespace/name` */
export function policyChain(direction: Direction, id: string): string {
  return named(direction === 'ingress' ? 'pi' : 'po', id);
}

function named(kind: string, name: string): string {
  return /^[a-z0-9][a-z0-9./-]{0,99}$/.test(name) ? `${kind}-${name}` : `${kind}h-${digest(name)}`;
}

/**
 * The set of admitted sources of packets, or of ARP, each with the interface it may come from, and with
 * the MAC where that is known.
 */
export function senderSet(of: Family | 'arp', macKnown: boolean): string {
  return `${macKnown ? 'from' : 'own'}${of === 'arp' ? '-arp' : of}`;
}

/** Whom containers whose MAC is known may be by ARP. */
export const ARP_SENDERS = senderSet('arp', true);

/** Interfaces with their own MACs, and those whose MAC is not known. */
export const LINKS = 'links';
export const ANY_MAC = 'any-mac';
/** How often each interface used link-local addresses other than its own. */
export const ON_LINK = 'on-link';
/** The set of all hosts' addresses. */
export function nodeSet(family: Family): string {
  return `nodes${family}`;
}

/** Free text as an nft comment: printable, no quotation marks, at most 100 characters of nft's 128; `suffix` is kept whole. */
export function commentText(text: string, suffix = ''): string {
  return (text.slice(0, 100 - suffix.length) + suffix)
    .replaceAll('"', "'")
    .replaceAll(/[^\x20-\x7e]/g, '?');
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
