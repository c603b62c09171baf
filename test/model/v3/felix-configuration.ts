import t from 'tap';
import { mergeFelix } from '../../../src/model/index.js';
import {
  checkResource,
  completeResource,
  decodeFelixConfiguration,
  felixFromVariables,
  findKind,
  mergeUpdate,
  readResource,
  type Kind,
  type Resource,
} from '../../../src/model/v3/index.js';

function felixKind(): Kind {
  const kind = findKind('felixconfig');
  if (kind === undefined) throw new Error('no such kind');
  return kind;
}
const document = (spec: object, name = 'default'): Record<string, unknown> => ({
  kind: 'FelixConfiguration',
  apiVersion: 'projectcalico.org/v3',
  metadata: { name },
  spec,
});
const problemsOf = (spec: object): readonly string[] => {
  const kind = felixKind();
  const resource = completeResource(kind, readResource(kind, document(spec)));
  return checkResource(kind, resource).map(({ field }) => field);
};

t.test('what calico/node writes is read', async (t) => {
  // Datamodel §1.12: written by calico/node of August 2026.
  const stored =
    '{"kind":"FelixConfiguration","apiVersion":"projectcalico.org/v3","metadata":{"name":"default","uid":"u","creationTimestamp":"2026-08-01T10:00:00Z"},"spec":{"logSeverityScreen":"Info","reportingInterval":"0s","bpfLogLevel":"","bpfConnectTimeLoadBalancing":"TCP","bpfHostNetworkedNATWithoutCTLB":"Enabled","floatingIPs":"Disabled","nftablesMode":"Auto","nftablesFlowTableOffload":"Disabled"}}';
  t.same(decodeFelixConfiguration(stored), {});
  const kind = felixKind();
  const { spec } = JSON.parse(stored) as { spec: object };
  t.same(readResource(kind, document(spec)).spec, spec, 'and written back as it is');
});

t.test('members that have a meaning here', async (t) => {
  const text = JSON.stringify(
    document({
      ...{ vxlanPort: 8472, vxlanVNI: 1, vxlanMTU: 1400, ipipMTU: 0, vxlanEnabled: false },
      defaultEndpointToHostAction: 'ACCEPT',
      programClusterRoutes: 'Enabled',
      failsafeInboundHostPorts: [
        { protocol: 'TCP', port: 22, net: '10.0.0.0/8' },
        { protocol: 'tcp', port: 23, net: 'nonsense' },
        { protocol: 'udp', port: 0 },
      ],
      failsafeOutboundHostPorts: [],
      externalNodesList: ['192.0.2.9', '198.51.100.0/24', 'x'],
      mtuIfacePattern: 'ens.*',
      unheardOf: { deep: true },
    }),
  );
  const felix = decodeFelixConfiguration(text);
  t.match(felix, {
    ...{ vxlanPort: 8472, vxlanVni: 1, vxlanMtu: 1400, ipipMtu: 0, vxlanEnabled: false },
    defaultEndpointToHostAction: 'Accept',
    programClusterRoutes: 'Enabled',
    mtuIfacePattern: 'ens.*',
  });
  t.same(
    felix.failsafeInboundHostPorts?.map(({ protocol, port, net }) => `${protocol} ${port} ${net}`),
    ['tcp 22 10.0.0.0/8'],
    'one that cannot be read opens nothing',
  );
  t.same(felix.failsafeOutboundHostPorts, [], 'an empty list is a value');
  t.same(felix.externalNodesList?.map(String), ['192.0.2.9/32', '198.51.100.0/24']);
});

t.test('node overrides default, variables override both', async (t) => {
  const variables = felixFromVariables({
    vxlanport: '9000',
    ipinipmtu: '1400',
    failsafeinboundhostports: 'tcp:22,udp:10.0.0.0/8:68,5000',
    failsafeoutboundhostports: 'none',
    vxlanenabled: 'true',
    logseverityscreen: 'debug',
  });
  t.match(variables, { vxlanPort: 9000, ipipMtu: 1400, vxlanEnabled: true });
  t.same(
    variables.failsafeInboundHostPorts?.map(
      ({ protocol, port, net }) => `${protocol} ${port} ${net ?? '-'}`,
    ),
    ['tcp 22 -', 'udp 68 10.0.0.0/8', 'tcp 5000 -'],
  );
  t.same(variables.failsafeOutboundHostPorts, []);
  t.same(mergeFelix({ vxlanPort: 1, vxlanMtu: 1 }, undefined, { vxlanPort: 2 }, { vxlanMtu: 3 }), {
    vxlanPort: 2,
    vxlanMtu: 3,
  });
});

t.test('what a user writes is judged', async (t) => {
  t.same(problemsOf({ vxlanPort: 4789, reportingInterval: '0s', chainInsertMode: 'append' }), []);
  t.same(problemsOf({ vxlanPort: 70_000, reportingInterval: 'soon' }), [
    'spec.reportingInterval',
    'spec.vxlanPort',
  ]);
  t.same(problemsOf({ defaultEndpointToHostAction: 'Maybe' }), [
    'spec.defaultEndpointToHostAction',
  ]);
  t.same(problemsOf({ failsafeInboundHostPorts: [{ protocol: 'tcp', port: 0 }] }), [
    'spec.failsafeInboundHostPorts[0].port',
  ]);
  t.throws(() => readResource(felixKind(), document({ vxlanprot: 1 })), /not recognized/);
});

t.test('what only a newer component understands survives a change', async (t) => {
  const kind = felixKind();
  const previous = document({ newMember: { deep: [1] }, vxlanPort: 4789 }) as unknown as Resource;
  const next = readResource(kind, document({ vxlanPort: 4790 }));
  t.same(mergeUpdate(kind, previous, next).spec, { vxlanPort: 4790, newMember: { deep: [1] } });
});
