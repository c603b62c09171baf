import type { Node } from '../model/index.js';
import { decodeNode, encodeNode, updateNode, type NodeChanges } from '../model/v3/index.js';
import { addressOf } from './choose-address.js';
import {
  newIdentity,
  nodeKeyOf,
  readOtherNodes,
  type Plan,
  type PlanInput,
  type ReadState,
} from './plan.js';
import { wantedAddresses, wantedAsNumber } from './settings.js';

const MEMBERS = ['ipv4Address', 'ipv6Address'] as const;
type Addresses = { readonly [member in (typeof MEMBERS)[number]]: string | undefined };

/** Plans the own Node: created, or updated where addresses or AS number differ, all else kept. */
export async function planNode(input: PlanInput, state: ReadState, plan: Plan): Promise<void> {
  const key = nodeKeyOf(input);
  const present = state.entries.get(key);
  const current = present === undefined ? undefined : decodeNode(present.value, key);
  const wanted = wantedAddresses(input, current, plan.warnings);
  const addresses = await withoutConflicts(input, current, wanted, plan);
  const changes = changesOf(current, addresses, wantedAsNumber(input.parsed, current));
  if (present === undefined) {
    plan.writes.set(key, encodeNode(input.nodeName, changes, newIdentity(input)));
  } else if (Object.keys(changes).length > 0) {
    plan.writes.set(key, updateNode(present.value, changes, newIdentity(input)));
  }
}

function changesOf(
  current: Node | undefined,
  addresses: Addresses,
  asNumber: number | undefined,
): NodeChanges {
  const changes: { -readonly [member in keyof NodeChanges]: NodeChanges[member] } = {};
  for (const member of MEMBERS) {
    if (addresses[member] !== current?.[member]) changes[member] = addresses[member] ?? null;
  }
  if (asNumber !== current?.asNumber) changes.asNumber = asNumber ?? null;
  return changes;
}

/**
 * Takes out an address that another Node has: two Nodes with one address break the mesh for both. Asked
 * only about addresses that are new to this Node, as Calico does (which refuses to start instead).
 */
async function withoutConflicts(
  input: PlanInput,
  current: Node | undefined,
  wanted: Addresses,
  plan: Plan,
): Promise<Addresses> {
  const fresh = MEMBERS.filter(
    (member) => wanted[member] !== undefined && wanted[member] !== current?.[member],
  );
  if (fresh.length === 0 || input.settings.checkAddressConflicts === false) return wanted;
  const others = await readOtherNodes(input);
  const result = { ...wanted };
  for (const member of fresh) {
    const address = addressOf(wanted[member] ?? '');
    const holder = others.find((node) => {
      const other = addressOf(node[member] ?? '');
      return address !== undefined && other?.equals(address) === true;
    });
    if (holder === undefined) continue;
    result[member] = undefined;
    const message =
      `the address ${address} of this host stands in Node ${holder.name} too, so Node ${input.nodeName} ` +
      `gets none; if that is an old name of this host: calicoctl delete node ${holder.name}`;
    plan.warnings.push({ reason: 'address-of-other-node', message });
  }
  return result;
}
