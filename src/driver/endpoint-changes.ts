import { Fault, messageOf } from '../base/index.js';
import { retryOnConflict, type Entry } from '../datastore/index.js';
import { profileName, type LocalEndpoint } from '../model/index.js';
import {
  decodeResource,
  decodeWorkloadEndpoint,
  encodeResource,
  encodeWorkloadEndpoint,
} from '../model/v3/index.js';
import { endpointConflict, type EndpointsContext } from './context.js';
import { localEndpoint, type EndpointRecord } from './endpoint-book.js';
import { automaticProfile } from './profile-book.js';
import { commitOrSettle } from './settle.js';

/** What the inventory learnt about an endpoint's container; other labels and annotations stay. */
export interface EndpointChange {
  readonly containerId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Networks on one pool cannot be told apart by route: what a container sends to a member of its second
 * network leaves with the address of its first. So on such interfaces it is a member of all of them: the
 * kernel knows at once, the store by a commit that nobody waits for.
 */
export async function shareGround(
  context: EndpointsContext,
  sandboxKey: string,
  signal?: AbortSignal,
): Promise<void> {
  const { book, programmer, log } = context;
  for (const { id } of book.inSandbox(sandboxKey)) {
    // As it is now: while another one was programmed it may have left, or gone.
    const member = book.get(id);
    if (member === undefined || member.going || member.sandboxKey !== sandboxKey) continue;
    const local = asProgrammed(context, member);
    if (local.profiles.join() === member.endpoint.profiles.join()) continue;
    await programmer.program(local, signal);
    rewrite(context, member.id, (text) => withProfiles(text, local.profiles)).catch(
      (error: unknown) => {
        log.warn(
          { EndpointID: member.id, error: messageOf(error) },
          'profiles of the endpoint could not be stored',
        );
      },
    );
  }
}

/** What the agent is told: the profiles follow from the container's networks now, not from what is stored. */
export function asProgrammed({ book }: EndpointsContext, record: EndpointRecord): LocalEndpoint {
  const members = record.sandboxKey === '' ? [record] : book.inSandbox(record.sandboxKey);
  return { ...localEndpoint(record), profiles: sharedProfiles(record, members) };
}

/**
 * A later commit with what was learnt about the container; never touches the address block, and writes
 * nothing when it stands there already. `not-found` for an endpoint that is not here (yet).
 */
export async function updateMetadata(
  context: EndpointsContext,
  endpointId: string,
  change: EndpointChange,
): Promise<void> {
  if (context.book.get(endpointId) === undefined) {
    throw new Fault(
      'not-found',
      `endpoint ${endpointId.slice(0, 12)} does not exist on this host`,
      {
        reason: 'unknown-endpoint',
      },
    );
  }
  await rewrite(context, endpointId, (text) => withMetadata(text, change));
}

/** The network's name became known: endpoints with a provisional profile get the real one. */
export async function nameLearnt(
  context: EndpointsContext,
  networkId: string,
  name: string,
): Promise<void> {
  const { book, networks, profiles, store } = context;
  const real = profileName(name);
  const waiting = book
    .all()
    .filter((record) => record.networkId === networkId && record.provisional && !record.going);
  if (waiting.length === 0) return;
  const network = await networks.require(networkId, {});
  await profiles.ensure(store, automaticProfile(real, network.internal), context.clock);
  for (const { id } of waiting) {
    await rewrite(context, id, (text) => withProfiles(text, [real]), { provisional: false });
    await shareGround(context, book.get(id)?.sandboxKey ?? '');
  }
}

async function rewrite(
  context: EndpointsContext,
  endpointId: string,
  change: (text: string) => string,
  more: Partial<EndpointRecord> = {},
): Promise<void> {
  const { book, writes, store, programmer } = context;
  await retryOnConflict(20, async (_attempt, current) => {
    const record = book.get(endpointId);
    if (record === undefined || record.going || record.revision === 0n) return;
    const now = current === undefined ? record : storedNow(record, current);
    if (now === undefined) return;
    const text = change(now.text);
    if (text === now.text) return;
    const { key } = record;
    const transaction = {
      compares: [{ key, revision: now.revision }],
      writes: [{ key, value: text }],
      reads: [key],
    };
    const result = await commitOrSettle(store, (part) => writes.commit(part), transaction, key);
    if (!result.committed) throw endpointConflict(result.current);
    const latest = book.get(endpointId);
    if (latest === undefined) return;
    const next = {
      ...latest,
      ...more,
      endpoint: decodeWorkloadEndpoint(text),
      text,
      revision: result.revision,
    };
    book.put(next);
    book.persist(next);
    if (next.slot > 0 && !next.going) await programmer.program(asProgrammed(context, next));
  });
}

const UNUSED_IDENTITY = { uid: '', createdAt: new Date(0) };

/** What a failed compare read; undefined when the object is gone. */
function storedNow(
  record: EndpointRecord,
  current: ReadonlyMap<string, Entry | undefined>,
): { readonly text: string; readonly revision: bigint } | undefined {
  const entry = current.get(record.key);
  return entry === undefined ? undefined : { text: entry.value, revision: entry.revision };
}

/** The stored object with these profiles; all else stays. */
export function withProfiles(text: string, profiles: readonly string[]): string {
  return encodeWorkloadEndpoint(
    { ...decodeWorkloadEndpoint(text), profiles },
    UNUSED_IDENTITY,
    text,
  );
}

/**
 * Its own profile, and those of siblings whose networks it may be the way to: their subnets are its own too, or
 * no route tells them apart.
 */
function sharedProfiles(record: EndpointRecord, members: readonly EndpointRecord[]): string[] {
  const apart = new Set(members.flatMap(({ routed }) => routed));
  const siblings = members.filter(
    (other) =>
      other.id !== record.id &&
      other.subnets.some((cidr) => !apart.has(cidr) || record.subnets.includes(cidr)),
  );
  return [...new Set([record, ...siblings].flatMap(({ endpoint }) => endpoint.profiles[0] ?? []))];
}

function withMetadata(text: string, change: EndpointChange): string {
  const resource = decodeResource(text);
  const { labels = {}, annotations = {} } = resource.metadata;
  const metadata = {
    ...resource.metadata,
    labels: { ...labels, ...change.labels },
    ...(Object.keys(change.annotations).length + Object.keys(annotations).length === 0
      ? {}
      : { annotations: { ...annotations, ...change.annotations } }),
  };
  return encodeResource({
    ...resource,
    metadata,
    spec: { ...resource.spec, containerID: change.containerId },
  });
}
