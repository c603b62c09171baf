import { Fault, isFault } from '../../base/index.js';
import type { Family } from '../../model/index.js';
import type { HostOpening } from './docker-user.js';

/** What is asked of nft. */
export interface Rules {
  apply(commands: string): Promise<void>;
  listJson(command: string): Promise<unknown>;
}

/** Whether firewalld lets our packets pass. */
export type FirewalldState =
  /** No firewalld runs, or it works through iptables. */
  | 'absent'
  | 'kept'
  /** Its table belongs to its process alone (NftablesTableOwner): the service and zone `calico` have to be enabled. */
  | 'closed';

const TABLE = 'inet firewalld';
const INPUT = 'filter_INPUT';
const FORWARD = 'filter_FORWARD';
const MARKED = 'meta mark & 0x10000 == 0x10000';
const COMMENT = 'calico-libnetwork: ';

const PROTOCOLS: Readonly<Record<Family, string>> = { 4: 'ipv4', 6: 'ipv6' };

/**
 * firewalld's table comes after ours and drops what no zone allows, whatever ours accepted. Accepts for packets that
 * carry our mark stand first in its two chains: our table has judged these packets, by policy or as those of known
 * hosts. firewalld makes its table anew at each reload; the accepts are then put back. Writes only what differs.
 * @param close those of ours that are not wanted go: false while it is not known yet what is
 */
export async function ensureFirewalld(
  rules: Rules,
  openings: Readonly<Partial<Record<Family, readonly HostOpening[]>>>,
  close: boolean,
): Promise<FirewalldState> {
  const input = ([4, 6] as const).flatMap((family) =>
    (openings[family] ?? []).map(({ nft }) => `meta nfproto ${PROTOCOLS[family]} ${nft}`),
  );
  const forward = ['iifname "cali*"', 'oifname "cali*"'];
  try {
    await ensureChain(rules, INPUT, { wanted: input, close });
    await ensureChain(rules, FORWARD, { wanted: forward, close });
    return 'kept';
  } catch (error) {
    if (isFault(error) && error.reason === 'no-firewalld') return 'absent';
    if (isFault(error) && /not permitted/i.test(error.message)) return 'closed';
    throw error;
  }
}

interface OwnRule {
  readonly text: string;
  readonly handle: number;
}

async function ensureChain(
  rules: Rules,
  chain: string,
  { wanted, close }: { readonly wanted: readonly string[]; readonly close: boolean },
): Promise<void> {
  const present = ownRules(await listed(rules, chain));
  const texts = new Set(present.map(({ text }) => text));
  const commands = [
    ...present
      .filter(({ text }) => close && !wanted.map(plain).includes(text))
      .map(({ handle }) => `delete rule ${TABLE} ${chain} handle ${handle}`),
    ...wanted
      .filter((match) => !texts.has(plain(match)))
      .map(
        (match) =>
          `insert rule ${TABLE} ${chain} ${match} ${MARKED} accept comment "${COMMENT}${plain(match)}"`,
      ),
  ];
  if (commands.length > 0) await rules.apply(`${commands.join('\n')}\n`);
}

/** Comments have no quotes. */
const plain = (match: string): string => match.replaceAll('"', '');

async function listed(rules: Rules, chain: string): Promise<unknown> {
  try {
    return await rules.listJson(`list chain ${TABLE} ${chain}`);
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    throw new Fault('invalid', 'no firewalld', { reason: 'no-firewalld', cause: error });
  }
}

function ownRules(document: unknown): OwnRule[] {
  const { nftables = [] } = document as {
    readonly nftables?: readonly {
      readonly rule?: { readonly comment?: string; readonly handle: number };
    }[];
  };
  return nftables.flatMap(({ rule }) =>
    rule?.comment?.startsWith(COMMENT) === true
      ? [{ text: rule.comment.slice(COMMENT.length), handle: rule.handle }]
      : [],
  );
}
