import { Address } from '../address.js';
import { Cidr } from '../cidr.js';
import { WORKLOAD } from '../names.js';
import { endpointShape } from './endpoint-shape.js';
import { isObject, type JsonObject } from './json.js';
import { cell, nameColumn, type Column, type Kind } from './kind.js';
import { isMac } from './kind-node.js';
import type { Problem } from './problem.js';
import { sortedMap, stringMapOf, stringOf, stringsOf, type Resource } from './resource.js';
import { NAMESPACE_LABEL, ORCHESTRATOR_LABEL } from './stored-workload-endpoint.js';

/** The spec members that a name is made of, by orchestrator (datamodel §1.8). */
function nameMembers(orchestrator: string): readonly string[] {
  if (orchestrator === 'k8s') return ['node', 'orchestrator', 'pod', 'endpoint'];
  if (orchestrator === 'cni') return ['node', 'orchestrator', 'containerID', 'endpoint'];
  return ['node', 'orchestrator', 'workload', 'endpoint'];
}

function segment(endpoint: JsonObject, member: string): string {
  const isDocker = member === 'workload' && endpoint['orchestrator'] === 'libnetwork';
  return isDocker ? WORKLOAD : stringOf(endpoint, member);
}

function computedName(endpoint: JsonObject): string {
  return nameMembers(stringOf(endpoint, 'orchestrator'))
    .map((member) => segment(endpoint, member).replaceAll('-', '--'))
    .join('-');
}

function checkName({ metadata, spec: endpoint }: Resource): Problem[] {
  const problems: Problem[] = [];
  for (const member of nameMembers(stringOf(endpoint, 'orchestrator'))) {
    const value = segment(endpoint, member);
    if (value === '') problems.push({ field: member, reason: 'field should be assigned' });
    else if (/^-|-$/.test(value)) {
      problems.push({ field: member, value, reason: 'field must not begin or end with a "-"' });
    }
  }
  if (problems.length > 0) return problems;
  const expected = computedName(endpoint);
  if (metadata.name === expected) return [];
  const reason = `the WorkloadEndpoint name does not match the primary identifiers assigned in the Spec: expected name ${expected}`;
  return [{ field: 'Name', value: metadata.name, reason }];
}

function complete(resource: Resource): void {
  const { metadata, spec: endpoint } = resource;
  if (metadata.name === '' && checkName(resource).every((problem) => problem.field === 'Name')) {
    metadata.name = computedName(endpoint);
  }
  metadata.labels = sortedMap({
    ...stringMapOf(metadata.labels),
    [NAMESPACE_LABEL]: metadata.namespace ?? '',
    [ORCHESTRATOR_LABEL]: stringOf(endpoint, 'orchestrator'),
  });
  const ports = endpoint['ports'];
  if (Array.isArray(ports)) {
    endpoint['ports'] = ports
      .filter(isObject)
      .map((item) => ({ name: '', protocol: '', port: 0, hostPort: 0, hostIP: '', ...item }));
  }
}

function check({ spec: endpoint }: Resource): Problem[] {
  const problems: Problem[] = [];
  const interfaceName = stringOf(endpoint, 'interfaceName');
  if (!/^[a-zA-Z0-9_.-]{1,15}$/.test(interfaceName)) {
    const reason = 'an interface name is required: 1 to 15 letters, digits, "_", "." or "-"';
    problems.push({ field: 'InterfaceName', value: interfaceName, reason });
  }
  const mac = stringOf(endpoint, 'mac');
  if (mac !== '' && !isMac(mac)) {
    const reason = 'must be a MAC address, such as 02:42:0a:14:00:01';
    problems.push({ field: 'MAC', value: mac, reason });
  }
  const container = stringOf(endpoint, 'containerID');
  if (container !== '' && !/^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/.test(container)) {
    const reason = 'must be letters, digits and "-"';
    problems.push({ field: 'ContainerID', value: container, reason });
  }
  return [...problems, ...checkNetworks(endpoint), ...checkNats(endpoint), ...checkPorts(endpoint)];
}

function hostAddress(value: string): Address | undefined {
  const cidr = Cidr.tryParse(value);
  return cidr === undefined ? Address.tryParse(value) : cidr.isHost ? cidr.base : undefined;
}

function checkNetworks(endpoint: JsonObject): Problem[] {
  const networks = stringsOf(endpoint, 'ipNetworks');
  return networks.flatMap((value) => {
    if (hostAddress(value) !== undefined) return [];
    const reason =
      Cidr.tryParse(value) === undefined
        ? 'must be an address with /32 or /128'
        : 'IP network contains multiple addresses: /32 or /128 is wanted';
    return [{ field: 'IPNetworks', value: `[${networks.join(' ')}]`, reason }];
  });
}

function checkNats(endpoint: JsonObject): Problem[] {
  const nats = endpoint['ipNATs'];
  if (!Array.isArray(nats)) return [];
  const own = stringsOf(endpoint, 'ipNetworks').map(hostAddress);
  return nats.filter(isObject).flatMap((nat) => {
    const internal = Address.tryParse(stringOf(nat, 'internalIP'));
    const external = Address.tryParse(stringOf(nat, 'externalIP'));
    const value = `${cell(nat['internalIP'])} -> ${cell(nat['externalIP'])}`;
    if (internal === undefined || external === undefined || internal.family !== external.family) {
      return [{ field: 'IPNATs', value, reason: 'both must be addresses of one family' }];
    }
    if (own.some((address) => address?.equals(internal) === true)) return [];
    const reason = 'the internal address is not among the ipNetworks';
    return [{ field: 'IPNATs', value, reason }];
  });
}

const PORT_PROTOCOLS = ['TCP', 'UDP', 'SCTP', '6', '17', '132'];

function checkPorts(endpoint: JsonObject): Problem[] {
  const ports = endpoint['ports'];
  if (!Array.isArray(ports)) return [];
  return ports.filter(isObject).flatMap((item) => {
    const problems: Problem[] = [];
    const name = stringOf(item, 'name');
    const hostPort = Number(item['hostPort'] ?? 0);
    const isName =
      name.length <= 15 && /[a-z]/.test(name) && /^[a-z0-9](?:-?[a-z0-9])*$/.test(name);
    if (!isName && !(name === '' && hostPort > 0)) {
      const reason = 'a port name has at most 15 lower case letters, digits and single "-"';
      problems.push({ field: 'Ports.Name', value: name, reason });
    }
    if (!PORT_PROTOCOLS.includes(cell(item['protocol']))) {
      const reason = 'a port has the protocol TCP, UDP or SCTP';
      problems.push({ field: 'Ports.Protocol', value: cell(item['protocol']), reason });
    }
    const number = Number(item['port'] ?? 0);
    if (number < 1 || number > 65_535 || hostPort < 0 || hostPort > 65_535) {
      const value = `${number}, hostPort ${hostPort}`;
      problems.push({ field: 'Ports.Port', value, reason: 'ports are 1 to 65535' });
    }
    return problems;
  });
}

const column = (heading: string, member: string): Column => ({
  heading,
  value: ({ spec: endpoint }) => cell(endpoint[member]),
});

export const workloadEndpointKind: Kind = {
  kind: 'WorkloadEndpoint',
  plural: 'workloadendpoints',
  aliases: ['wep', 'weps'],
  namespaced: true,
  summary: "a container's interface: addresses, profiles, labels",
  example: `apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata:
  name: node1-rack-printer-eth0
  namespace: default
spec:
  orchestrator: rack
  workload: printer
  node: node1
  endpoint: eth0
  interfaceName: cali0123456789a
  ipNetworks:
  - 10.20.0.77/32
  profiles:
  - frontend
`,
  spec: endpointShape,
  columns: [
    nameColumn,
    {
      heading: 'WORKLOAD',
      value: ({ spec: endpoint }) => {
        const [, , workload = ''] = nameMembers(stringOf(endpoint, 'orchestrator'));
        return cell(endpoint[workload]);
      },
    },
    column('NODE', 'node'),
    column('NETWORKS', 'ipNetworks'),
    column('INTERFACE', 'interfaceName'),
    column('PROFILES', 'profiles'),
    {
      heading: 'NATS',
      value: ({ spec: endpoint }) =>
        Array.isArray(endpoint['ipNATs'])
          ? endpoint['ipNATs']
              .filter(isObject)
              .map((nat) => `${cell(nat['internalIP'])}/${cell(nat['externalIP'])}`)
              .join(',')
          : '',
    },
  ],
  tableHeadings: ['WORKLOAD', 'NODE', 'NETWORKS', 'INTERFACE'],
  wideHeadings: ['NAME', 'WORKLOAD', 'NODE', 'NETWORKS', 'INTERFACE', 'PROFILES', 'NATS'],
  checkName,
  complete,
  check,
};
