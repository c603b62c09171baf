import { Type } from 'typebox';
import { Address } from '../address.js';
import { isObjectName } from '../names.js';
import { isObject, type JsonObject } from './json.js';
import { cell, nameColumn, type Column, type Kind } from './kind.js';
import type { Problem } from './problem.js';
import { stringOf, stringsOf, type Resource } from './resource.js';

const text = Type.Optional(Type.String());
const texts = Type.Optional(Type.Array(Type.String()));
const PORT_PROTOCOLS = ['TCP', 'UDP', 'SCTP', '6', '17', '132'];
const PORT_NAME = /^(?=.*[a-z])[a-z0-9](?:-?[a-z0-9])*$/;

function check({ spec }: Resource): Problem[] {
  const problems: Problem[] = [];
  const interfaceName = stringOf(spec, 'interfaceName');
  const addresses = stringsOf(spec, 'expectedIPs');
  const node = stringOf(spec, 'node');
  if (node === '') problems.push({ field: 'spec', reason: 'node must be specified' });
  const named = [node, ...stringsOf(spec, 'profiles')].filter((name) => name !== '');
  for (const value of named.filter((name) => !isObjectName(name))) {
    const reason = 'nodes and profiles have names of lower case letters, digits, "-" and "."';
    problems.push({ field: value === node ? 'Node' : 'Profiles', value, reason });
  }
  if (interfaceName === '' && addresses.length === 0) {
    const reason = 'at least one of interfaceName or expectedIPs must be specified';
    problems.push({ field: 'spec', reason });
  }
  if (!/^(?:\*|[a-zA-Z0-9_.-]{0,15})$/.test(interfaceName)) {
    const reason = 'an interface name has at most 15 letters, digits, "_", "." or "-"; "*" is all';
    problems.push({ field: 'InterfaceName', value: interfaceName, reason });
  }
  for (const [index, value] of addresses.entries()) {
    if (Address.tryParse(value) !== undefined) continue;
    const reason = 'must be one address, without length';
    problems.push({ field: `ExpectedIPs[${index}]`, value, reason });
  }
  return [...problems, ...checkPorts(spec)];
}

function checkPorts(spec: JsonObject): Problem[] {
  const ports = spec['ports'];
  if (!Array.isArray(ports)) return [];
  return ports.filter(isObject).flatMap((item) => {
    const problems: Problem[] = [];
    const name = stringOf(item, 'name');
    const port = Number(item['port'] ?? 0);
    if (name.length > 15 || !PORT_NAME.test(name)) {
      const reason = 'a port name has at most 15 lower case letters, digits and single "-"';
      problems.push({ field: 'EndpointPort.Name', value: name, reason });
    }
    if (!PORT_PROTOCOLS.includes(cell(item['protocol']))) {
      const reason = 'a port has the protocol TCP, UDP or SCTP';
      problems.push({ field: 'EndpointPort.Protocol', value: cell(item['protocol']), reason });
    }
    if (port < 1 || port > 65_535) {
      const reason = 'a port is 1 to 65535';
      problems.push({ field: 'EndpointPort.Port', value: cell(item['port']), reason });
    }
    return problems;
  });
}

const column = (heading: string, member: string): Column => ({
  heading,
  value: ({ spec }) => cell(spec[member]),
});

export const hostEndpointKind: Kind = {
  kind: 'HostEndpoint',
  plural: 'hostendpoints',
  aliases: ['hep', 'heps'],
  namespaced: false,
  summary: "an interface of a host, for the host's own protection",
  example: `apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata:
  name: node1-eth0
  labels:
    role: edge
spec:
  node: node1
  interfaceName: eth0
  expectedIPs:
  - 192.0.2.10
  profiles:
  - projectcalico-default-allow
`,
  spec: Type.Object({
    node: text,
    interfaceName: text,
    expectedIPs: texts,
    profiles: texts,
    ports: Type.Optional(
      Type.Array(
        Type.Object({
          name: Type.String({ always: true }),
          protocol: Type.Union([Type.Integer(), Type.String()], { always: true }),
          port: Type.Integer({ always: true }),
        }),
      ),
    ),
  }),
  columns: [
    nameColumn,
    column('NODE', 'node'),
    column('INTERFACE', 'interfaceName'),
    column('IPS', 'expectedIPs'),
    column('PROFILES', 'profiles'),
  ],
  tableHeadings: ['NAME', 'NODE'],
  wideHeadings: ['NAME', 'NODE', 'INTERFACE', 'IPS', 'PROFILES'],
  check,
};
