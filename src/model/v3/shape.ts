import type { TSchema } from 'typebox';
import { Fault } from '../../base/fault.js';
import { isObject, stringifyJson, type JsonObject } from './json.js';
import type { Problem } from './problem.js';

/**
 * The members of a TypeBox schema that this file walks. `always` is our own keyword: the member is
 * stored also when it is zero, as Calico stores pointers and members without `omitempty`.
 */
interface Shape {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly const?: unknown;
  readonly always?: boolean;
}

/**
 * Reads what a user wrote into the form to be stored: members in the schema's order and spelling
 * (names match without regard to case), zero values left out, null meaning absent, plain scalars
 * turned to text where text is wanted. Throws `invalid` for an unknown member or a wrong type;
 * values are not judged here.
 */
export function readShape(schema: TSchema, value: unknown, path: string): unknown {
  return read(schema as Shape, value, path);
}

function read(shape: Shape, value: unknown, path: string): unknown {
  if (shape.anyOf !== undefined) return readUnion(shape.anyOf, value, path);
  switch (shape.type) {
    case 'object':
      return shape.patternProperties === undefined
        ? readObject(shape, value, path)
        : readMap(shape, value, path);
    case 'array':
      if (!Array.isArray(value)) throw wrongType(path, 'a list', value);
      return value.map((item, index) => read(shape.items ?? {}, item ?? '', `${path}[${index}]`));
    case 'string':
      return readText(value, path);
    case 'integer':
      if (typeof value !== 'bigint' && !Number.isInteger(value)) {
        throw wrongType(path, 'a whole number', value);
      }
      return value;
    case 'number':
      if (typeof value !== 'number') throw wrongType(path, 'a number', value);
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') throw wrongType(path, 'true or false', value);
      return value;
    default:
      return value;
  }
}

function readText(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  if (['number', 'bigint', 'boolean'].includes(typeof value)) return String(value);
  throw wrongType(path, 'text', value);
}

function readUnion(choices: readonly Shape[], value: unknown, path: string): unknown {
  if (choices.every((choice) => choice.type === 'string')) return readText(value, path);
  if (typeof value === 'string' || typeof value === 'number') return value;
  throw wrongType(path, 'a number or text', value);
}

function readMap(shape: Shape, value: unknown, path: string): JsonObject {
  if (!isObject(value)) throw wrongType(path, 'a map', value);
  const [member = {}] = Object.values(shape.patternProperties ?? {});
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, read(member, item ?? '', `${path}.${key}`)]),
  );
}

function readObject(shape: Shape, value: unknown, path: string): JsonObject {
  if (!isObject(value)) throw wrongType(path, 'a map', value);
  const properties = shape.properties ?? {};
  const names = new Map(Object.keys(properties).map((name) => [name.toLowerCase(), name]));
  const found = new Map<string, unknown>();
  for (const [written, member] of Object.entries(value)) {
    const name = written in properties ? written : names.get(written.toLowerCase());
    if (name === undefined) throw unknownField(written);
    if (found.has(name)) throw new Fault('invalid', `${path}.${name} is given twice`);
    found.set(name, member);
  }
  const result: JsonObject = {};
  for (const [name, member] of Object.entries(properties)) {
    const given = found.get(name);
    if (given === undefined || given === null) continue;
    const stored = read(member, given, path === '' ? name : `${path}.${name}`);
    if (member.always === true || !isZero(stored)) result[name] = stored;
  }
  return result;
}

function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isObject(value)) return Object.keys(value).length === 0;
  return value === '' || value === 0 || value === false;
}

/** The message that Calico's tools and their users know. */
export function unknownField(name: string): Fault {
  const message = `field in document is not recognized or is in the wrong location: ${name}`;
  return new Fault('invalid', message, { reason: 'unknown-field' });
}

function wrongType(path: string, wanted: string, found: unknown): Fault {
  const shown = stringifyJson(found ?? null).slice(0, 80);
  return new Fault('invalid', `${path} must be ${wanted}, found ${shown}`, {
    reason: 'wrong-type',
  });
}

/** Members whose text is none of the schema's literals. */
export function checkEnums(schema: TSchema, value: unknown, path: string): Problem[] {
  return enumProblems(schema as Shape, value, path);
}

function enumProblems(shape: Shape, value: unknown, path: string): Problem[] {
  if (value === undefined || value === null) return [];
  const literals = shape.anyOf?.map((choice) => choice.const) ?? [];
  if (literals.length > 0 && literals.every((literal) => literal !== undefined)) {
    if (literals.includes(value)) return [];
    const supported = literals.map((literal) => `"${String(literal)}"`).join(', ');
    return [{ field: path, value: String(value), reason: `supported values: ${supported}` }];
  }
  if (Array.isArray(value)) {
    return value.flatMap((item, index) =>
      enumProblems(shape.items ?? {}, item, `${path}[${index}]`),
    );
  }
  if (!isObject(value)) return [];
  return Object.entries(shape.properties ?? {}).flatMap(([name, member]) =>
    enumProblems(member, value[name], `${path}.${name}`),
  );
}

/**
 * The new members with those of the stored object that the schema does not know: a newer component
 * wrote them, and nobody can have meant to remove what could not be written down.
 */
export function keepUnknown(schema: TSchema, previous: unknown, next: JsonObject): JsonObject {
  return kept(schema as Shape, previous, next);
}

function kept(shape: Shape, previous: unknown, next: JsonObject): JsonObject {
  const { properties } = shape;
  if (properties === undefined || !isObject(previous)) return next;
  const result = { ...next };
  for (const [name, value] of Object.entries(previous)) {
    const member = properties[name];
    const current = next[name];
    if (member === undefined) result[name] = value;
    else if (isObject(current)) result[name] = kept(member, value, current);
  }
  return result;
}

/** A copy without null members and without those that the schema does not know. */
export function onlyKnown(schema: TSchema, value: unknown): unknown {
  return known(schema as Shape, value);
}

function known(shape: Shape, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => known(shape.items ?? {}, item));
  const { properties } = shape;
  if (properties === undefined || !isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(properties)
      .filter((name) => value[name] !== undefined && value[name] !== null)
      .map((name) => [name, known(properties[name] ?? {}, value[name])]),
  );
}
