import { Document, isScalar, parseAllDocuments, parseDocument, visit } from 'yaml';
import { Fault, messageOf } from '../../base/fault.js';

// Calico's tools read YAML 1.1 through a JSON layer: `on` is a boolean and `012` is ten, but times and
// base-60 numbers stay text (a MAC address such as 10:20:30:40:50:55 would be a number otherwise).
const NOT_READ = new Set(['TIME', 'omap', 'pairs', 'set', 'binary', 'timestamp']);
const READ_OPTIONS = {
  version: '1.1',
  intAsBigInt: true,
  uniqueKeys: true,
  prettyErrors: true,
  customTags: (tags: Tags): Tags =>
    tags.filter((tag) => {
      if (typeof tag === 'string') return !NOT_READ.has(tag);
      const name = tag.tag.slice(tag.tag.lastIndexOf(':') + 1);
      return !NOT_READ.has(name) && !('format' in tag && tag.format === 'TIME');
    }),
} as const;

type Tags = Parameters<Exclude<NonNullable<TagOption>, readonly unknown[]>>[0];
type TagOption = NonNullable<Parameters<typeof parseDocument>[1]>['customTags'];

/**
 * The documents of a YAML 1.1 or JSON text, comments-only ones left out. Throws `invalid` with line
 * and column for a syntax error, a duplicate key or an unknown anchor.
 */
export function readYaml(text: string, source: string): unknown[] {
  const documents = parseAllDocuments(text, READ_OPTIONS);
  if (!Array.isArray(documents)) return [];
  const values = documents.map((document) => {
    const [error] = document.errors;
    if (error !== undefined) {
      const place = error.linePos?.[0];
      const where = place === undefined ? '' : ` line ${place.line}, column ${place.col}:`;
      const what = messageOf(error).replace(/ at line \d+, column \d+:$/, '');
      throw notYaml(`${source} is no valid YAML:${where} ${what}`, error);
    }
    try {
      return plain(document.toJS({ maxAliasCount: 100 }));
    } catch (cause) {
      throw notYaml(`${source} is no valid YAML: ${messageOf(cause)}`, cause);
    }
  });
  return values.filter((value) => value !== null);
}

function notYaml(message: string, cause: unknown): Fault {
  return new Fault('invalid', message, { reason: 'yaml', cause });
}

/** Integers that fit a double become numbers; the rest of the value is as it was. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
  }
  return value;
}

/**
 * YAML as Calico's tools print it: members sorted, lists not indented, text that another reader could
 * take for something else in double quotes, other text that needs quotes in single ones.
 */
export function writeYaml(value: unknown): string {
  const document = new Document(value, { version: '1.1', sortMapEntries: true });
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value !== 'string' || !isAmbiguous(node.value)) return;
      node.type = 'QUOTE_DOUBLE';
    },
  });
  return document.toString({ indentSeq: false, lineWidth: 0, singleQuote: true });
}

function isAmbiguous(text: string): boolean {
  if (text === '' || /^\d{4}-\d\d?-\d\d?/.test(text)) return true;
  if (!/^[\w.+~:-]+$/.test(text)) return false;
  const { contents, errors } = parseDocument(text, { version: '1.1' });
  return errors.length > 0 || !isScalar(contents) || typeof contents.value !== 'string';
}
