/** A JSON value; integers that a double cannot hold are bigint. */
export type Json =
  null | boolean | number | bigint | string | readonly Json[] | { readonly [member: string]: Json };

/** A JSON object whose members are not known yet. */
export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// A private-use character that Calico's text never has marks the integers that JSON.parse would round.
const MARK = '\uF8FF#';
const MAYBE_BIG = /[:,[]\s*-?\d{16,}/;
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, 'g');

/** Like `JSON.parse`, but integers beyond 2^53 come back as bigint instead of rounded. */
export function parseJson(text: string): unknown {
  if (!MAYBE_BIG.test(text)) return JSON.parse(text) as unknown;
  const marked = text.replaceAll(STRING_OR_NUMBER, (token) =>
    /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${MARK}${token}"` : token,
  );
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  ) as unknown;
}

const GO_ESCAPES: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** `JSON.stringify` as Go's encoder writes it: `<`, `>` and `&` escaped, bigint as plain integers. */
export function stringifyJson(value: unknown, indent = 0): string {
  const text = JSON.stringify(
    value,
    (_, member: unknown) => (typeof member === 'bigint' ? `${MARK}${member}` : member),
    indent,
  );
  return text
    .replaceAll(/[<>&\u2028\u2029]/g, (character) => GO_ESCAPES[character] ?? character)
    .replaceAll(MARKED, '$1');
}
