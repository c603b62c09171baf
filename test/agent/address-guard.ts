import t from 'tap';
import { AddressGuard } from '../../src/agent/address-guard.js';
import { silentLog, sleep } from '../../src/base/index.js';
import { Address } from '../../src/model/index.js';
import { createMemoryNetlink } from '../../src/netlink/index.js';

const addresses = Array.from({ length: 20 }, (_, at) => Address.parse(`10.1.0.${at}`));

t.test(
  'reuse under load shares walks, and each use waits for one that began after the release',
  async (t) => {
    const walks: string[][] = [];
    const end = new AbortController();
    t.teardown(() => end.abort());
    const netlink = Object.assign(createMemoryNetlink(), {
      flowSources: async () => new Set<string>(),
      deleteFlows: async (walked: readonly Address[]) => {
        walks.push(walked.map(String));
      },
    });
    const guard = new AddressGuard(netlink, silentLog, end.signal);
    const uses: Promise<void>[] = [];
    for (const address of addresses) {
      guard.release([address]);
      const before = walks.length;
      const use = guard.ready([address], end.signal).then(() => {
        t.ok(walks.slice(before).flat().includes(String(address)), `${address} was cleaned since`);
      });
      uses.push(use);
      await sleep(1);
    }
    await Promise.all(uses);
    t.ok(walks.length < addresses.length, `${walks.length} walks`);
  },
);
