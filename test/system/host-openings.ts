import t, { type Test } from 'tap';
import {
  bgpObstacle,
  established,
  linesOf,
  startBgpLab,
  type BgpHost,
} from '../fixtures/bgp-lab.js';
import { v3 } from '../fixtures/bgp-facts.js';
import { until } from '../fixtures/until.js';

const skip = bgpObstacle() ?? false;
const RULES = `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A INPUT -p tcp --dport 2379 -j ACCEPT
COMMIT
`;
const bgp = (spec: string): string => v3('BGPConfiguration', 'default', spec);
const vxlan = (mode: string): string =>
  v3('IPPool', 'tunnel', `{cidr: 10.30.0.0/16, vxlanMode: ${mode}}`);

t.test('an INPUT that drops is open for what is in use', { skip }, async (t) => {
  const env = { IP6: 'none', CALICO_LIBNETWORK_BGP_BFD: 'true' };
  const lab = await startBgpLab(t, 2, { env });
  const [one, two] = lab.hosts;
  if (one === undefined || two === undefined) throw new Error('two hosts are needed');
  for (const { host } of lab.hosts) await host.must('iptables-restore', [], { stdin: RULES });
  await lab.apply(bgp('{listenPort: 1790}') + vxlan('Always'));
  await t.test('BGP on a port of its own, BFD and VXLAN', (t) => opened(t, one, two));
  await t.test('a daemon that starts again closes nothing', (t) => restarted(t, one));
  await lab.apply(bgp('{listenPort: 1791}') + vxlan('Never'));
  await t.test('what is no longer in use is closed', () =>
    openings(one, ['tcp dport 1791', 'udp dport 4784']),
  );
  for (const host of lab.hosts) await established(host, 1);
  await lab.apply(bgp('{nodeToNodeMeshEnabled: false}'));
  await t.test('BGP too, when there is nobody to speak to', () => openings(one, []));
  t.notMatch(await one.host.must('nft', ['list', 'table', 'inet', 'calico-libnetwork']), 'bgp-in');
});

/** Our accepts in the host's INPUT. */
async function inInput({ host }: BgpHost): Promise<string[]> {
  const rules = linesOf(await host.must('iptables', ['-S', 'INPUT']));
  return rules
    .filter((rule) => rule.includes('calico-libnetwork'))
    .map((rule) => rule.replace(/.* (tcp|udp) --dport (\d+) .*/, '$1 dport $2'))
    .sort();
}

async function openings(host: BgpHost, wanted: readonly string[]): Promise<void> {
  const there = async (): Promise<boolean> => String(await inInput(host)) === String(wanted);
  await until(there, `INPUT to be open for ${wanted.join(', ')} alone`);
}

const ALL = ['tcp dport 1790', 'udp dport 4784', 'udp dport 4789'];

async function opened(t: Test, one: BgpHost, two: BgpHost): Promise<void> {
  for (const host of [one, two]) {
    await openings(host, ALL);
    await established(host, 1);
  }
  const socket = ['-s', '/run/calico/bird.ctl'];
  const watched = async (): Promise<boolean> => {
    const { stdout } = await one.run('birdc', [...socket, 'show', 'bfd', 'sessions']);
    return new RegExp(`${two.address} .* Up `).test(stdout);
  };
  await until(watched, 'the BFD session through both firewalls');
  t.match(await one.host.must('ss', ['-lun']), /:4784 /, 'where BIRD expects it');
}

async function restarted(t: Test, one: BgpHost): Promise<void> {
  // A rule that is put back has another handle.
  const handles = async (): Promise<string> => {
    const rules = await one.host.must('nft', [
      '-a',
      '-s',
      'list',
      'chain',
      'ip',
      'filter',
      'INPUT',
    ]);
    return rules.replaceAll(/packets \d+ bytes \d+/g, '');
  };
  const before = await handles();
  await one.daemon().stop();
  await one.restartDaemon();
  await until(async () => (await one.status()).bgp?.state === 'running', 'BGP to run again');
  await until(async () => /in-sync/.test((await one.calicoctl(['status'])).stdout), 'the agent');
  t.equal(await handles(), before);
}
