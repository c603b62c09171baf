import { Fault } from '../base/index.js';
import { Address, Cidr } from '../model/index.js';
import {
  encodeResource,
  isObject,
  readManifests,
  readNamedPorts,
  readYaml,
  stringifyJson,
  stringMapOf,
  stringsOf,
  type JsonObject,
  type Manifest,
} from '../model/v3/index.js';
import type { VerdictSettings } from '../model/verdict/index.js';
import { idOf } from './object-name.js';
import { acceptable } from './objects.js';
import type { KnownWorkload, WorldEntry } from './policy-world.js';

/** One flow and what is expected of it. */
export interface PolicyCase {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly port: string;
  readonly expect: 'allow' | 'deny';
  /** Text that the description of the deciding rule must have. */
  readonly because?: string;
}

/** A file of `policy test`, read and checked. */
export interface PolicyCases {
  /** Files with manifests, as written. */
  readonly manifests: readonly string[];
  readonly endpoints: readonly KnownWorkload[];
  readonly settings: { readonly hostReach: VerdictSettings['hostReach'] };
  readonly cases: readonly PolicyCase[];
}

const MEMBERS = ['manifests', 'endpoints', 'settings', 'cases'];
const ENDPOINT_MEMBERS = ['name', 'namespace', 'node', 'labels', 'profiles', 'addresses', 'ports'];
const CASE_MEMBERS = ['name', 'from', 'to', 'port', 'expect', 'because'];

/** Throws `invalid` with the place of the first thing that is not as `policy test --help` says. */
export function readCases(text: string, source: string): PolicyCases {
  const documents = readYaml(text, source);
  const [document] = documents;
  if (documents.length !== 1 || !isObject(document)) {
    throw bad(source, 'one YAML document with the members', MEMBERS.join(', '));
  }
  onlyMembers(document, MEMBERS, source);
  const endpoints = listOf(document, 'endpoints', source).map((item, index) =>
    readEndpoint(item, index, `${source}: endpoints[${index}]`),
  );
  const cases = listOf(document, 'cases', source).map((item, index) =>
    readCase(item, index, `${source}: cases[${index}]`),
  );
  if (cases.length === 0) throw bad(source, 'at least one case, found', 'none');
  const settings = document['settings'];
  if (settings !== undefined && !isObject(settings)) throw bad(source, 'settings as a map', '');
  onlyMembers(settings ?? {}, ['hostReach'], `${source}: settings`);
  const hostReach = settings?.['hostReach'] ?? 'own';
  if (hostReach !== 'own' && hostReach !== 'all') {
    throw bad(`${source}: settings.hostReach`, 'own or all, found', show(hostReach));
  }
  const manifests = listOf(document, 'manifests', source).map(String);
  return { manifests, endpoints, settings: { hostReach }, cases };
}

function readCase(item: unknown, index: number, where: string): PolicyCase {
  if (!isObject(item)) throw bad(where, 'a map, found', show(item));
  onlyMembers(item, CASE_MEMBERS, where);
  const { expect, name, because } = item;
  if (expect !== 'allow' && expect !== 'deny') {
    throw bad(`${where}.expect`, 'allow or deny, found', show(expect));
  }
  const word = (member: string): string => {
    const value = item[member];
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number') return String(value);
    throw bad(`${where}.${member}`, 'text, found', show(value));
  };
  const [from, to, port] = [word('from'), word('to'), word('port')];
  return {
    name: typeof name === 'string' ? name : `case ${index}: ${from} to ${to}, ${port}`,
    ...{ from, to, port, expect },
    ...(because === undefined ? {} : { because: word('because') }),
  };
}

function readEndpoint(item: unknown, index: number, where: string): KnownWorkload {
  if (!isObject(item)) throw bad(where, 'a map, found', show(item));
  onlyMembers(item, ENDPOINT_MEMBERS, where);
  const text = (member: string, fallback: string): string => {
    const value = item[member] ?? fallback;
    if (typeof value === 'string' && value !== '') return value;
    throw bad(`${where}.${member}`, 'text, found', show(value));
  };
  const written = stringsOf(item, 'addresses');
  const addresses = written.map((each) => {
    const address = Address.tryParse(each);
    if (address === undefined) throw bad(`${where}.addresses`, 'addresses, found', show(each));
    return address;
  });
  return {
    name: text('name', ''),
    namespace: text('namespace', 'default'),
    node: text('node', 'node1'),
    labels: stringMapOf(item['labels']),
    profiles: stringsOf(item, 'profiles'),
    ports: readNamedPorts(item),
    addresses: addresses.length === 0 ? madeUp(index) : addresses,
    ...{ containerId: '', endpoint: '', containerName: '', agentId: '' },
  };
}

/** Networks for tests (RFC 2544 and RFC 3849): nothing real has addresses in them. */
const MADE_UP = [Cidr.parse('198.18.0.0/15'), Cidr.parse('2001:db8::/64')];

function madeUp(index: number): Address[] {
  return MADE_UP.map((cidr) => cidr.addressAt(index + 1));
}

/** The objects of manifests, each checked as if it were to be stored. */
export function entriesOf(text: string, source: string): WorldEntry[] {
  return readManifests(text, source).map((manifest) => entryOf(manifest, source));
}

function entryOf({ kind, resource }: Manifest, source: string): WorldEntry {
  const id = idOf(kind, resource, undefined);
  try {
    const value = encodeResource(acceptable(id, resource));
    return { plural: kind.plural, where: `${kind.kind} ${id.name} of ${source}`, value };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(error.kind, `${source}: ${kind.kind} ${id.name}: ${error.message}`, {
      cause: error,
    });
  }
}

function listOf(document: JsonObject, member: string, source: string): readonly unknown[] {
  const value = document[member] ?? [];
  if (Array.isArray(value)) return value;
  throw bad(`${source}: ${member}`, 'a list, found', show(value));
}

function onlyMembers(object: JsonObject, known: readonly string[], where: string): void {
  const strange = Object.keys(object).find((member) => !known.includes(member));
  if (strange === undefined) return;
  throw bad(where, `one of ${known.join(', ')}, found`, strange);
}

function bad(where: string, wanted: string, found: string): Fault {
  const message = `${where} must have ${wanted} ${found}`;
  return new Fault('invalid', message.trimEnd(), { reason: 'cases' });
}

function show(value: unknown): string {
  return stringifyJson(value ?? null).slice(0, 60);
}
