import t from 'tap';
import { hostSettingsOf } from '../../src/agent/felix-settings.js';
import { encapsulationInUse } from '../../src/model/index.js';
import { decodeFelixConfiguration, decodeIpPool } from '../../src/model/v3/index.js';
import { poolText } from '../fixtures/stored-objects.js';

const felix = (spec: object): ReturnType<typeof decodeFelixConfiguration> =>
  decodeFelixConfiguration(
    JSON.stringify({
      kind: 'FelixConfiguration',
      apiVersion: 'projectcalico.org/v3',
      metadata: { name: 'default' },
      spec,
    }),
  );

t.test('what a FelixConfiguration says of hosts reaches their policy', async (t) => {
  const found = felix({
    failsafeInboundHostPorts: [{ protocol: 'TCP', port: 2222 }],
    failsafeOutboundHostPorts: [],
    defaultEndpointToHostAction: 'Drop',
  });
  t.same(hostSettingsOf(found, {}), {
    failsafeInbound: [{ protocol: 'tcp', port: 2222 }],
    failsafeOutbound: [],
    endpointToHost: 'Drop',
  });
  t.equal(hostSettingsOf(found, { endpointToHost: 'Return' }).endpointToHost, 'Return');
  t.same(hostSettingsOf({}, {}), {}, 'nothing said: Calico’s own');
});

t.test('the configured port is the one that host endpoints let pass', async (t) => {
  const pool = decodeIpPool(poolText('x', '10.0.0.0/16', { vxlanMode: 'Always' }));
  t.same(encapsulationInUse([pool], {}), { ipip: false, vxlanPort: 4789 });
  t.same(encapsulationInUse([pool], felix({ vxlanPort: 4790 })), { ipip: false, vxlanPort: 4790 });
  t.same(encapsulationInUse([], {}), { ipip: false });
});
