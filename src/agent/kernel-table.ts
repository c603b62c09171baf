import { tableFamilies, type TableFamily } from './table-text.js';

/** A chain with its rules, a set or map without its elements, or the table itself. */
export interface KernelObject {
  readonly kind: 'table' | 'chain' | 'set' | 'map';
  readonly family: TableFamily;
  readonly name: string;
  /** nft's JSON of it, without handles and without what counters have counted. */
  readonly text: string;
  /** A chain where packets come in by themselves. */
  readonly hooked: boolean;
}

/** What the kernel has of our table. */
export interface KernelTable {
  /** By family, kind and name. */
  readonly objects: ReadonlyMap<string, KernelObject>;
  /** Of each set by name, as `DesiredTable` writes them: keys, and values where it is a map. */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads nft's JSON, of `list table` or of what was added. Undefined when there is anything in it that
 * our tables never have: then it cannot be compared.
 */
export function readKernelTable(documents: readonly unknown[]): KernelTable | undefined {
  const objects = new Map<string, KernelObject>();
  const elements = new Map<string, ReadonlyMap<string, string>>();
  const rules = new Map<string, string[]>();
  for (const [kind, one] of documents.flatMap(itemsOf)) {
    if (kind === 'metainfo') continue;
    const family = tableFamilies.find((known) => known === one?.['family']);
    if (one === undefined || family === undefined) return undefined;
    if (kind === 'rule') {
      const chain = `${family} chain ${String(one['chain'])}`;
      const texts = rules.get(chain) ?? [];
      if (texts.push(ruleText(one)) === 1) rules.set(chain, texts);
      continue;
    }
    if (kind !== 'table' && kind !== 'chain' && kind !== 'set' && kind !== 'map') return undefined;
    const { handle: _handle, elem, ...rest } = one;
    const name = String(one['name']);
    const hooked = 'hook' in one;
    const text = JSON.stringify(rest);
    objects.set(`${family} ${kind} ${name}`, { kind, family, name, text, hooked });
    if (kind !== 'set' && kind !== 'map') continue;
    const members = elementsOf(elem ?? [], one['type'], kind);
    if (members === undefined) return undefined;
    elements.set(name, members);
  }
  for (const [key, texts] of rules) {
    const chain = objects.get(key);
    if (chain === undefined) return undefined;
    objects.set(key, { ...chain, text: [chain.text, ...texts].join('\n') });
  }
  return { objects, elements };
}

/** Kind and content of each object; of what was added, `add` is left out. */
function itemsOf(document: unknown): (readonly [string, Json | undefined])[] {
  const all = isRecord(document) ? document['nftables'] : undefined;
  if (!Array.isArray(all)) return [['', undefined]];
  return (all as readonly unknown[]).map((item) => {
    const added = isRecord(item) && isRecord(item['add']) ? item['add'] : item;
    const [kind = '', one] = isRecord(added) ? (Object.entries(added)[0] ?? []) : [];
    return [kind, isRecord(one) ? one : undefined];
  });
}

function ruleText({ handle: _handle, expr, ...rest }: Json): string {
  const steps = Array.isArray(expr) ? (expr as readonly unknown[]) : [];
  return JSON.stringify({ ...rest, expr: steps.map(withoutCounts) }, inOneOrder);
}

/** The kernel tells what is in a rule's own set in another order each time. */
function inOneOrder(key: string, value: unknown): unknown {
  if (key !== 'set' || !Array.isArray(value)) return value;
  return (value as readonly unknown[]).map((one) => JSON.stringify(one)).sort();
}

function withoutCounts(step: unknown): unknown {
  const counted = isRecord(step) ? step['counter'] : undefined;
  const isCounter = isRecord(counted) && 'packets' in counted && Object.keys(counted).length === 2;
  return isCounter ? { counter: null } : step;
}

function elementsOf(
  elem: unknown,
  type: unknown,
  kind: 'set' | 'map',
): ReadonlyMap<string, string> | undefined {
  if (!Array.isArray(elem)) return undefined;
  const types: readonly unknown[] = Array.isArray(type) ? type : [type];
  const found = new Map<string, string>();
  for (const one of elem as readonly unknown[]) {
    const [key, value] =
      kind === 'set' ? [one, undefined] : Array.isArray(one) ? (one as readonly unknown[]) : [];
    const text = keyText(key, types);
    const verdict = kind === 'set' ? '' : verdictText(value);
    if (text === undefined || verdict === undefined) return undefined;
    found.set(text, verdict);
  }
  return found;
}

function keyText(key: unknown, types: readonly unknown[]): string | undefined {
  const concatenated = isRecord(key) ? key['concat'] : undefined;
  const parts: readonly unknown[] = Array.isArray(concatenated) ? concatenated : [key];
  const texts = parts.map((part, at) => partText(part, types[at]));
  if (parts.length !== types.length || texts.includes(undefined)) return undefined;
  return texts.join(' . ');
}

function partText(part: unknown, type: unknown): string | undefined {
  if (typeof part === 'string') return type === 'ifname' ? `"${part}"` : part;
  if (typeof part === 'number') return String(part);
  const prefix = isRecord(part) ? part['prefix'] : undefined;
  return isRecord(prefix) ? `${String(prefix['addr'])}/${String(prefix['len'])}` : undefined;
}

/** `goto` with its chain: no other is in our maps. */
function verdictText(value: unknown): string | undefined {
  const step = isRecord(value) ? value['goto'] : undefined;
  return isRecord(step) && typeof step['target'] === 'string'
    ? `goto ${step['target']}`
    : undefined;
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
