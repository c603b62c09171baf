import t from 'tap';
import { Address } from '../../src/model/index.js';
import { packetsOf } from '../fixtures/agent-host.js';
import { icmp6, OWN_MAC } from '../fixtures/hostile-attack.js';
import { policyWorld, SERVER } from '../fixtures/policy-world.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { neighbourSolicitation } from '../fixtures/raw-frames.js';
import { startSender } from '../fixtures/raw-sender.js';
import { until } from '../fixtures/until.js';

/** More than enough to see; all namespaces of a machine share the kernel's one table, which has 1,024 places. */
const SENDERS = 300;
const FEW = 100;
const DROP = 'too much from link-local addresses';

/** The container's MAC as kernels make an address of it. */
function ownLinkLocal(): string {
  const [a = 0, ...rest] = OWN_MAC.split(':').map((text) => Number.parseInt(text, 16));
  const [b = 0, c = 0, d = 0, e = 0, f = 0] = rest;
  const bytes = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f];
  return String(Address.fromBytes(Uint8Array.from(bytes)));
}

await inPrivateNamespace(import.meta.url, () => {
  t.test('a container does not fill the neighbour table of all', async (t) => {
    const { host, client } = await policyWorld(t);
    const gateway = /inet6 (fe80::[^/]+)/.exec(
      run('ip', '-6', 'addr', 'show', 'dev', 'calic'),
    )?.[1];
    if (gateway === undefined) throw new Error('the host end has no link-local address');
    const { send } = await startSender(t, client.namespace, 'cali0');
    const asks = (from: string): Buffer => {
      const ends = { from, to: 'ff02::1' };
      return icmp6(ends, neighbourSolicitation(ends, gateway, OWN_MAC));
    };
    const neighbours = (): number =>
      run('ip', '-6', 'neigh', 'show', 'dev', 'calic')
        .split('\n')
        .filter((line) => line.startsWith('fe80::5:')).length;
    const flood = Array.from({ length: SENDERS }, (_, at) => asks(`fe80::5:${at.toString(16)}`));

    await send(flood);
    await until(async () => (await packetsOf(host.nft, DROP)) > SENDERS / 2, 'most to be dropped');
    t.ok(neighbours() > 0, 'a few link-local addresses may be had');
    t.ok(neighbours() < FEW, `${neighbours()} neighbours from ${SENDERS} addresses`);
    t.ok(run('ping', '-6', '-n', '-c', '1', '-W', '5', SERVER[1]), 'another container answers');

    const before = await packetsOf(host.nft, DROP);
    await send(Array.from({ length: SENDERS }, () => asks(ownLinkLocal())));
    await until(
      () => run('ip', '-6', 'neigh', 'show', 'dev', 'calic').includes(ownLinkLocal()),
      'its own address to be a neighbour',
    );
    t.equal(await packetsOf(host.nft, DROP), before, 'the address of its MAC is not limited');

    await host.stop();
    run('nft', 'delete', 'table', 'inet', 'calico-libnetwork');
    await send(flood);
    await until(() => neighbours() >= SENDERS / 2, 'all to be neighbours without our rules');
  });
});
