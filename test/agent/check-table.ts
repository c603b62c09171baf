import t from 'tap';
import { checkTable } from '../../src/agent/check-table.js';
import { putBase } from '../../src/agent/policy/base-chains.js';
import { ARP_SENDERS, FROM_WORKLOAD } from '../../src/agent/policy/index.js';
import { DesiredTable } from '../../src/agent/table.js';
import { Fault, silentLog } from '../../src/base/index.js';
import type { Nft } from '../../src/nft/index.js';

/** What a look at a kernel with so many elements in each set comes to; no number: the set is not there. */
async function looked(elements: Readonly<Record<string, number>>): Promise<boolean> {
  const table = new DesiredTable('calico-test');
  putBase(table);
  table.addElement(FROM_WORKLOAD, '"cali1"', 'goto waiting');
  for (const last of [1, 2])
    table.addElement(ARP_SENDERS, `"cali1" . ee:ee:ee:ee:ee:01 . 10.0.0.${last}`);
  let isReplaced = false;
  const listJson = async (command: string): Promise<unknown> => {
    const name = command.split(' ').at(-1) ?? '';
    const count = elements[name];
    if (count === undefined) throw new Fault('invalid', 'No such file or directory');
    const kind = command.split(' ')[1] ?? '';
    const elem = count === 0 ? {} : { elem: Array.from({ length: count }, (_, at) => at) };
    return { nftables: [{ metainfo: {} }, { [kind]: { name, ...elem } }] };
  };
  const status = { state: 'known', replaced: 1, changed: 0, lastMs: 0 } as const;
  const writer = { status, dirty: false, busy: false, replaceWhole: () => (isReplaced = true) };
  await checkTable(
    { table, writer: writer as never },
    { nft: { listJson } as Nft, log: silentLog },
  );
  return isReplaced;
}

t.test('what another program took out of either table is found', async (t) => {
  const whole = { [FROM_WORKLOAD]: 1, [ARP_SENDERS]: 2 };
  t.notOk(await looked(whole));
  t.ok(await looked({ ...whole, [FROM_WORKLOAD]: 0 }), 'a container that is not dispatched');
  t.ok(await looked({ ...whole, [ARP_SENDERS]: 1 }), 'an address that it cannot tell of');
  t.ok(await looked({ [FROM_WORKLOAD]: 1 }), 'no table of ARP');
  t.ok(await looked({}), 'no table at all');
});
