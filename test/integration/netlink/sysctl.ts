import t from 'tap';
import { silentLog } from '../../../src/base/log.js';
import { createKernelNetlink, readSysctl, writeSysctl } from '../../../src/netlink/index.js';
import { faultOf } from '../../fixtures/fault-of.js';
import { inPrivateNamespace, run } from '../../fixtures/private-namespace.js';

await inPrivateNamespace(import.meta.url, () => {
  t.test('a setting of an interface whose name has a dot', async (t) => {
    const netlink = createKernelNetlink({ log: silentLog });
    t.teardown(() => netlink.close());
    const host = { name: 'cali0.1', mac: 'ee:ee:ee:ee:ee:ee' };
    await netlink.createVeth({ host, peer: { name: 'temp0.1' }, mtu: 1500 });
    const path = ['net', 'ipv4', 'conf', 'cali0.1', 'proxy_arp'];
    t.equal(await readSysctl(path), '0');
    await writeSysctl(path, 1);
    t.equal(await readSysctl(path), '1');
    t.equal(run('cat', `/proc/sys/${path.join('/')}`), '1\n');
    run('ip', 'link', 'del', 'cali0.1');
    t.match(await faultOf(readSysctl(path)), { kind: 'not-found' });
    t.match(await faultOf(writeSysctl(path, 1)), { kind: 'not-found' });
  });

  t.test('what cannot be', async (t) => {
    const forwarding = ['net', 'ipv4', 'ip_forward'];
    t.match(await faultOf(writeSysctl(forwarding, 'maybe')), { kind: 'invalid' });
    t.match(await faultOf(readSysctl(['net', 'ipv4', 'nothing'])), { kind: 'not-found' });
    for (const path of [['net', '..', 'x'], ['net', 'a/b'], ['']]) {
      t.match(await faultOf(readSysctl(path)), { kind: 'invalid' }, path.join(' '));
    }
    t.match(await faultOf(readSysctl(['net'])), { kind: 'internal' }, 'a folder is no setting');
  });
});
