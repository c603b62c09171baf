import type { Log } from '../base/log.js';
import { listenToKernel, NETLINK_NETFILTER, type Message } from '../netlink/index.js';

const NFNLGRP_NFTABLES = 7;
const NFNL_SUBSYS_NFTABLES = 10;
/** The last message of a transaction. */
const NFT_MSG_NEWGEN = 15;
/** struct nfgenmsg, then the header of the first attribute. */
const TABLE_NAME = 4 + 4;

const families: ReadonlyMap<number, string> = new Map([
  [1, 'inet'],
  [2, 'ip'],
  [3, 'arp'],
  [5, 'netdev'],
  [7, 'bridge'],
  [10, 'ip6'],
]);

/**
 * Calls back after each transaction that did not come through our own ports, with the tables that it
 * touched. Without them once when listening begins, and when notifications were lost: something may
 * have changed unheard.
 */
export function monitorRuleset(
  log: Log,
  isOurs: (port: number) => boolean,
  onForeignChange: (tables?: ReadonlySet<string>, deaf?: boolean) => void,
): { close(): void } {
  let tables = new Set<string>();
  return listenToKernel({
    log,
    protocol: NETLINK_NETFILTER,
    groups: [NFNLGRP_NFTABLES],
    onGap: (deaf) => onForeignChange(undefined, deaf),
    onMessage: (message) => {
      if (message.type >> 8 !== NFNL_SUBSYS_NFTABLES) return;
      if ((message.type & 0xff) !== NFT_MSG_NEWGEN) {
        const table = tableOf(message);
        if (table !== undefined) tables.add(table);
        return;
      }
      const touched = tables;
      tables = new Set();
      if (!isOurs(message.port)) onForeignChange(touched);
    },
  });
}

/** Of every message but the last of a transaction the first attribute is the table's name. */
function tableOf({ body }: Message): string | undefined {
  if (body.length <= TABLE_NAME) return undefined;
  const family = body.readUInt8(0);
  const name = body.toString('utf8', TABLE_NAME, body.indexOf(0, TABLE_NAME));
  return `${families.get(family) ?? family} ${name}`;
}
