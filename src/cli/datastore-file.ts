import { Fault, messageOf } from '../base/index.js';
import { nodeHoldKey, ROOT, type Entry } from '../datastore/index.js';

/** The first line of what `datastore migrate export` writes; the others are keys with their values as they are stored. */
const FORMAT = 'calico-libnetwork datastore';
const VERSION = 1;

/** Held by leases of running daemons: what they say is true of one datastore only. */
const HOLDS = nodeHoldKey('');

export interface StoredText {
  readonly key: string;
  readonly value: string;
}

/** Whether a key goes along into another datastore. */
export const isMovable = (key: string): boolean => key.startsWith(ROOT) && !key.startsWith(HOLDS);

/** One JSON text per line. Values are kept to the byte: what this program does not know goes along. */
export function writeDatastoreFile(entries: readonly Entry[], clusterGuid: string): string {
  const head = { format: FORMAT, version: VERSION, clusterGUID: clusterGuid, keys: entries.length };
  const lines = entries.map(({ key, value }) => JSON.stringify({ key, value }));
  return `${[JSON.stringify(head), ...lines].join('\n')}\n`;
}

/** Throws `invalid` for anything but a whole file of `writeDatastoreFile`. */
export function readDatastoreFile(text: string, where: string): readonly StoredText[] {
  const [head = '', ...lines] = text.split('\n').filter((line) => line.trim() !== '');
  const { format, version, keys } = parseLine(head, 1, where);
  if (format !== FORMAT || version !== VERSION) {
    throw bad(`${where} is no file of calicoctl datastore migrate export (version ${VERSION})`);
  }
  if (keys !== lines.length) {
    throw bad(`${where} was cut off: it has ${lines.length} keys and should have ${String(keys)}`);
  }
  return lines.map((line, at) => {
    const { key, value } = parseLine(line, at + 2, where);
    if (typeof key !== 'string' || typeof value !== 'string' || !isMovable(key)) {
      throw bad(`${where}, line ${at + 2}: no key of Calico with its value`);
    }
    return { key, value };
  });
}

function parseLine(line: string, number: number, where: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    throw bad(`${where}, line ${number}: ${messageOf(error)}`);
  }
  throw bad(`${where}, line ${number}: no JSON object`);
}

const bad = (message: string): Fault => new Fault('invalid', message, { reason: 'datastore-file' });
