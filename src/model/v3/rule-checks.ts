import { Cidr } from '../cidr.js';
import type { Family } from '../address.js';
import { isObject, type JsonObject } from './json.js';
import { cell } from './kind.js';
import { checkSelector } from './metadata-checks.js';
import type { Problem } from './problem.js';
import { stringOf, stringsOf } from './resource.js';

const ACTIONS = ['Allow', 'Deny', 'Log', 'Pass'];
const PROTOCOLS = ['TCP', 'UDP', 'ICMP', 'ICMPv6', 'SCTP', 'UDPLite'];
const WITH_PORTS = ['TCP', 'UDP', 'SCTP', '6', '17', '132'];
const WITH_ICMP = ['ICMP', 'ICMPv6', '1', '58'];
const SERVICE_NAME = /^(?=.*[a-z])[a-z0-9](?:-?[a-z0-9])*$/;
const MAX_RULES = 1024;
const MAX_NETS = 256;
const MAX_PORTS = 50;

/** Problems of one direction's rules (datamodel §3.3); `value` has passed the strict reader. */
export function checkRules(value: unknown, direction: 'ingress' | 'egress'): Problem[] {
  if (!Array.isArray(value)) return [];
  const field = `spec.${direction}`;
  if (value.length > MAX_RULES) {
    const reason = `at most ${MAX_RULES} rules a direction`;
    return [{ field, value: `${value.length} rules`, reason }];
  }
  return value.flatMap((rule: unknown, index) =>
    isObject(rule) ? checkRule(rule, `${field}[${index}]`) : [],
  );
}

function checkRule(rule: JsonObject, path: string): Problem[] {
  const problems: Problem[] = [];
  const action = cell(rule['action']);
  if (!ACTIONS.includes(action)) {
    const reason = `supported values: ${ACTIONS.map((known) => `"${known}"`).join(', ')}`;
    problems.push({ field: `${path}.action`, value: action, reason });
  }
  problems.push(
    ...checkProtocol('Protocol', rule['protocol']),
    ...checkProtocol('NotProtocol', rule['notProtocol']),
    ...checkIcmp(rule, path),
    ...checkFamilies(rule, path),
    ...checkOffered(rule, path, ['http']),
  );
  for (const side of ['source', 'destination'] as const) {
    const entity = rule[side];
    if (isObject(entity)) problems.push(...checkEntity(entity, side, rule, path));
  }
  return problems;
}

function checkProtocol(field: string, value: unknown): Problem[] {
  if (value === undefined) return [];
  const number =
    typeof value === 'number' ? value : /^\d+$/.test(cell(value)) ? Number(value) : NaN;
  if (Number.isNaN(number)) {
    if (PROTOCOLS.includes(cell(value))) return [];
    const reason = `protocol name invalid: one of ${PROTOCOLS.join(', ')}, or a number from 1 to 255`;
    return [{ field, value: cell(value), reason }];
  }
  if (number >= 1 && number <= 255) return [];
  return [{ field, value: cell(value), reason: 'a protocol number is 1 to 255' }];
}

function checkIcmp(rule: JsonObject, path: string): Problem[] {
  const problems: Problem[] = [];
  for (const member of ['icmp', 'notICMP']) {
    const match = rule[member];
    if (!isObject(match)) continue;
    const field = `${path}.${member}`;
    if (!WITH_ICMP.includes(cell(rule['protocol']))) {
      const reason = 'ICMP fields require protocol to be ICMP or ICMPv6';
      problems.push({ field, reason });
    }
    const { type, code } = match;
    if (typeof type === 'number' && (type < 0 || type > 254)) {
      problems.push({ field: `${field}.type`, value: cell(type), reason: 'from 0 to 254' });
    }
    if (typeof code === 'number' && (code < 0 || code > 255)) {
      problems.push({ field: `${field}.code`, value: cell(code), reason: 'from 0 to 255' });
    }
    if (code !== undefined && type === undefined) {
      problems.push({ field, reason: 'ICMP code specified without an ICMP type' });
    }
  }
  return problems;
}

/** Address families that parts of the rule ask for; more than one can never match. */
function checkFamilies(rule: JsonObject, path: string): Problem[] {
  const version = rule['ipVersion'];
  if (version !== undefined && version !== 4 && version !== 6) {
    return [{ field: `${path}.ipVersion`, value: cell(version), reason: 'must be 4 or 6' }];
  }
  const problems: Problem[] = [];
  for (const member of ['protocol', 'notProtocol']) {
    const wanted = { ICMP: 4, ICMPv6: 6 }[cell(rule[member])];
    if (version !== undefined && wanted !== undefined && version !== wanted) {
      const reason = `${cell(rule[member])} needs ipVersion ${wanted}`;
      problems.push({ field: `${path}.ipVersion`, value: cell(version), reason });
    }
  }
  const families = new Set<Family>();
  const all: string[] = [];
  for (const side of ['source', 'destination']) {
    const entity = rule[side];
    if (!isObject(entity)) continue;
    for (const text of [...stringsOf(entity, 'nets'), ...stringsOf(entity, 'notNets')]) {
      all.push(text);
      const cidr = Cidr.tryParse(text);
      if (cidr !== undefined) families.add(cidr.family);
    }
  }
  if (families.size > 1) {
    const reason = 'rule contains both IPv4 and IPv6 CIDRs: write one rule for each';
    problems.push({ field: `${path} nets`, value: `[${all.join(' ')}]`, reason });
  } else if (version !== undefined && [...families].some((family) => family !== version)) {
    const reason = `the rule's nets are not of ipVersion ${cell(version)}`;
    problems.push({ field: `${path} nets`, value: `[${all.join(' ')}]`, reason });
  }
  return problems;
}

const NOT_OFFERED: Readonly<Record<string, string>> = {
  http: 'matching HTTP needs a proxy, which plain Docker hosts lack: match ports instead',
  services: 'services exist in Kubernetes only: use a selector and ports instead',
  serviceAccounts: 'service accounts exist in Kubernetes only: use a selector instead',
};

/** What cannot be enforced here is refused rather than stored and then denied. */
function checkOffered(owner: JsonObject, path: string, members: readonly string[]): Problem[] {
  return members
    .filter((member) => owner[member] !== undefined)
    .map((member) => ({ field: `${path}.${member}`, reason: NOT_OFFERED[member] ?? '' }));
}

function checkEntity(
  entity: JsonObject,
  side: 'source' | 'destination',
  rule: JsonObject,
  path: string,
): Problem[] {
  const name = side === 'source' ? 'Source' : 'Destination';
  const namespaceSelector = stringOf(entity, 'namespaceSelector');
  return [
    ...checkNets(`${name}.Nets`, stringsOf(entity, 'nets')),
    ...checkNets(`${name}.NotNets`, stringsOf(entity, 'notNets')),
    ...stringsOf(entity, 'notNets')
      .filter((net) => net === '0.0.0.0/0' || net === '::/0')
      .map((value) => ({ field: `${name}.NotNets`, value, reason: 'would match nothing' })),
    ...checkPorts(`${name}.Ports`, entity['ports'], rule),
    ...checkPorts(`${name}.NotPorts`, entity['notPorts'], rule),
    ...checkSelector('Selector', entity['selector']),
    ...checkSelector('NotSelector', entity['notSelector']),
    ...(namespaceSelector.trim().replaceAll(/\s/g, '') === 'global()'
      ? []
      : checkSelector('NamespaceSelector', namespaceSelector)),
    ...checkOffered(entity, `${path}.${side}`, ['services', 'serviceAccounts']),
  ];
}

function checkNets(field: string, nets: readonly string[]): Problem[] {
  if (nets.length > MAX_NETS) {
    return [{ field, value: `${nets.length} nets`, reason: `at most ${MAX_NETS}` }];
  }
  return nets.flatMap((net) => {
    const parsed = Cidr.tryParseInterface(net);
    if (parsed === undefined) {
      const reason = 'invalid CIDR: address/length is wanted, one address is /32 or /128';
      return [{ field, value: net, reason }];
    }
    if (parsed.cidr.base.equals(parsed.address)) return [];
    return [{ field, value: net, reason: `has host bits set; the network is ${parsed.cidr}` }];
  });
}

function checkPorts(field: string, value: unknown, rule: JsonObject): Problem[] {
  if (!Array.isArray(value) || value.length === 0) return [];
  const shown = `[${value.join(' ')}]`;
  const ports = value.map(cell);
  const problems: Problem[] = [];
  if (ports.length > MAX_PORTS) {
    problems.push({ field, value: `${ports.length} ports`, reason: `at most ${MAX_PORTS}` });
  }
  const numeric = ports.some((port) => /^\d/.test(port) && !SERVICE_NAME.test(port));
  const protocol = cell(rule['protocol']);
  if (!WITH_PORTS.includes(protocol) && (numeric || protocol !== '')) {
    const reason = 'rules with numeric port or port range must set protocol to TCP or UDP or SCTP';
    problems.push({ field, value: shown, reason });
  }
  for (const port of ports) {
    const wrong = portProblem(port);
    if (wrong !== undefined) problems.push({ field, value: port, reason: wrong });
  }
  return problems;
}

function portProblem(port: string): string | undefined {
  const range = /^(\d+)(?::(\d+))?$/.exec(port);
  if (range === null) {
    return port.length <= 15 && SERVICE_NAME.test(port)
      ? undefined
      : 'a port is a number, a range min:max, or a service name of at most 15 characters';
  }
  const first = Number(range[1]);
  const last = Number(range[2] ?? range[1]);
  if (first < 1 || last > 65_535) return 'port numbers are 1 to 65535';
  return first > last
    ? `minimum port number (${first}) is greater than maximum (${last})`
    : undefined;
}
