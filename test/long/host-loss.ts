import t, { type Test } from 'tap';
import {
  bgpObstacle,
  established,
  startBgpLab,
  type BgpHost,
  type BgpLab,
} from '../fixtures/bgp-lab.js';
import { v3 } from '../fixtures/bgp-facts.js';
import { fabricAddress } from '../fixtures/fabric.js';
import { until } from '../fixtures/until.js';

const skip = bgpObstacle() ?? false;
const network = { prefix: 'b'.repeat(12), subnet: '10.20.0.0/16' };
const LOST = 3;
/** BGP's hold time is 90 s; BIRD's own, or a wait for a graceful restart, would be minutes more. */
const HOLD_MS = 90_000;
const TELLING_MS = 30_000;

t.test('a host loses its power, without BFD', { skip, timeout: 400_000 }, async (t) => {
  const lab = await startBgpLab(t, 3, { env: { IP6: 'none' } });
  await lab.apply(v3('IPPool', 'plain', '{cidr: 10.20.0.0/16}'));
  const boxes: string[] = [];
  for (const host of lab.hosts) boxes.push(await host.container(network, 'box'));
  for (const host of lab.hosts) await established(host, 2);
  for (const host of lab.hosts) await until(() => leads(host, LOST), 'its block', 20_000);
  await t.test('its routes go after the hold time', (t) => gone(t, lab, boxes));
  await t.test('it comes back', (t) => back(t, lab, boxes[LOST - 1] ?? ''));
});

/** The host has a route by way of that one. */
async function leads(host: BgpHost, index: number): Promise<boolean> {
  if (host.address === fabricAddress(index)) return true;
  return (await host.birdRoutes()).some((route) => route.includes(`via ${fabricAddress(index)} `));
}

async function gone(t: Test, lab: BgpLab, boxes: readonly string[]): Promise<void> {
  const [one, two] = lab.hosts;
  if (one === undefined || two === undefined) throw new Error('three hosts are needed');
  const count = String((HOLD_MS + TELLING_MS) / 100);
  const ping = ['ping', '-i', '0.1', '-q', '-c', count, boxes[1] ?? ''];
  const others = await one.host.spawn('ip', ['netns', 'exec', 'box', ...ping]);
  await lab.fabric.cut(LOST);
  t.ok((await leads(one, LOST)) && (await leads(two, LOST)), 'nobody knows yet');
  for (const host of [one, two]) {
    const left = async (): Promise<boolean> => !(await leads(host, LOST));
    await until(left, `its routes to go from ${host.host.name}`, HOLD_MS + TELLING_MS);
  }
  const told = async (): Promise<boolean> => {
    const { decisions } = await one.status();
    return decisions.some(
      ({ reason, subject }) => reason === 'bgp-session-down' && subject === fabricAddress(LOST),
    );
  };
  await until(told, 'the status to tell', TELLING_MS);
  await until(() => !others.running(), 'the pings to the other host', HOLD_MS);
  t.match(others.log(), `${count} packets transmitted, ${count} received`, 'others');
}

async function back(t: Test, lab: BgpLab, box: string): Promise<void> {
  await lab.fabric.heal(LOST);
  for (const host of lab.hosts) await established(host, 2);
  for (const host of lab.hosts) await until(() => leads(host, LOST), 'its block', 30_000);
  for (const host of lab.hosts) {
    t.equal((await host.inside('box', 'ping', '-c', '1', '-W', '5', box)).status, 0);
  }
}
