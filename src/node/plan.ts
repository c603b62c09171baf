import { randomUUID } from 'node:crypto';
import { messageOf, toFault, type Clock, type Log } from '../base/index.js';
import {
  resourceKey,
  resourcePrefix,
  type CallOptions,
  type Entry,
  type Store,
} from '../datastore/index.js';
import type { Address, Family, Node } from '../model/index.js';
import { decodeNode, type Identity } from '../model/v3/index.js';
import type { NodeWarning } from './choose-address.js';
import type { HostView } from './detect-address.js';
import type { NodeSettings, ParsedNodeSettings } from './settings.js';

/** Everything one try of a registration decides from, besides what it reads. */
export interface PlanInput {
  readonly store: Store;
  readonly nodeName: string;
  readonly hostUuid: string;
  readonly settings: NodeSettings;
  readonly parsed: ParsedNodeSettings;
  /** Kernel's answers for `can-reach`. */
  readonly sources: ReadonlyMap<Family, Address>;
  readonly view: HostView;
  readonly version: string;
  /** Of a host that never belonged to the cluster, as `formatEpoch` writes it: its first host record says that it has nothing to claim. */
  readonly newcomerEpoch?: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal?: AbortSignal;
  readonly newUid?: () => string;
}

/** What one try has read. */
export interface ReadState {
  readonly entries: ReadonlyMap<string, Entry | undefined>;
  readonly pools: readonly Entry[];
}

/** What one try wants to write; the commit compares each key with what was read. */
export interface Plan {
  readonly writes: Map<string, string>;
  readonly warnings: NodeWarning[];
}

/** The text of a key as it will be after the commit; empty when there is none. */
export function plannedText(key: string, { entries }: ReadState, plan: Plan): string {
  return plan.writes.get(key) ?? entries.get(key)?.value ?? '';
}

export const nodeKeyOf = ({ nodeName }: PlanInput): string => resourceKey('nodes', nodeName);

export function callOptions({ signal }: PlanInput): CallOptions {
  return signal === undefined ? {} : { signal };
}

export function newIdentity({ clock, newUid = randomUUID }: PlanInput): Identity {
  return { uid: newUid(), createdAt: new Date(clock.now()) };
}

/** All Nodes but the own; one that cannot be understood is logged and left out. */
export async function readOtherNodes(input: PlanInput): Promise<readonly Node[]> {
  const { entries } = await input.store.list(resourcePrefix('nodes'), callOptions(input));
  const nodes: Node[] = [];
  for (const entry of entries) {
    try {
      const node = decodeNode(entry.value, entry.key);
      if (node.name !== input.nodeName) nodes.push(node);
    } catch (error) {
      input.log.warn({ key: entry.key, reason: toFault(error).reason }, messageOf(error));
    }
  }
  return nodes;
}
