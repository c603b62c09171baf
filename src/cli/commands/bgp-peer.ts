import { Fault } from '../../base/index.js';
import { Address, families, parsePeerAddress } from '../../model/index.js';
import {
  API_VERSION,
  bgpPeerName,
  stringifyJson,
  stringOf,
  toAsNumber,
  type JsonObject,
} from '../../model/v3/index.js';
import { ensureInitialized } from '../initialize.js';
import type { Io, StoreOptions } from '../io.js';
import { withObjects } from '../session.js';
import { borderedTable } from '../tables.js';
import { kindOf } from './bgp-node-mesh.js';
import { changeOptions } from './write.js';

/** bgp peer add: a session of every node with one router. */
export async function addPeerCommand(
  io: Io,
  [peer = '', as = '', number = '']: readonly string[],
  options: StoreOptions,
): Promise<number> {
  const asNumber = toAsNumber(number);
  if (as !== 'as' || asNumber === undefined) {
    const message = `a peer is added as: bgp peer add ADDRESS as NUMBER, found "${peer} ${as} ${number}"`;
    throw new Fault('invalid', message, { reason: 'usage' });
  }
  const address = Address.parse(peer);
  const id = { kind: kindOf('BGPPeer'), name: bgpPeerName(address) };
  return withObjects(io, options, async (objects) => {
    await ensureInitialized(io, objects.store, {});
    await objects.create(
      id,
      {
        kind: 'BGPPeer',
        apiVersion: API_VERSION,
        metadata: { name: id.name },
        spec: { peerIP: address.toString(), asNumber },
      },
      changeOptions(io, objects, id),
    );
    io.out("Successfully created 1 'BGPPeer' resource(s)\n");
    return 0;
  });
}

interface GlobalPeer {
  readonly name: string;
  readonly address: Address;
  readonly text: string;
  readonly asNumber: string;
}

/** bgp peer remove: whatever the global peer with this address is called. */
export async function removePeerCommand(
  io: Io,
  peer: string,
  options: StoreOptions,
): Promise<number> {
  const address = Address.parse(peer);
  return withObjects(io, options, async (objects) => {
    const kind = kindOf('BGPPeer');
    const { objects: stored } = await objects.list(kind);
    const found = globalPeers(stored).filter((each) => each.address.equals(address));
    if (found.length === 0) {
      const message = `No global BGP Peer with address ${address}; calicoctl bgp peer show lists them`;
      throw new Fault('not-found', message);
    }
    for (const { name } of found) await objects.remove({ kind, name });
    io.out(`Successfully deleted ${found.length} 'BGPPeer' resource(s)\n`);
    return 0;
  });
}

/** bgp peer show: global peers, one table for each family, as the oldest calicoctl printed them. */
export async function showPeersCommand(
  io: Io,
  options: StoreOptions & {
    readonly output: string;
    readonly ipv4?: boolean;
    readonly ipv6?: boolean;
  },
): Promise<number> {
  return withObjects(io, options, async (objects) => {
    const peers = globalPeers((await objects.list(kindOf('BGPPeer'))).objects);
    if (options.output === 'json') {
      const rows = peers.map(({ name, text, asNumber }) => ({ name, peerIP: text, asNumber }));
      io.out(`${stringifyJson(rows, 2)}\n`);
      return 0;
    }
    const both = options.ipv4 === options.ipv6;
    for (const family of families) {
      if (!both && options[`ipv${family}`] !== true) continue;
      const own = peers.filter(({ address }) => address.family === family);
      if (own.length === 0) io.out(`No global IPv${family} BGP Peers defined.\n\n`);
      else {
        const headings = [`Global IPv${family} BGP Peer`, 'AS Num'];
        const columns = headings.map((heading) => ({ heading }));
        io.out(
          `${borderedTable(
            columns,
            own.map(({ text, asNumber }) => [text, asNumber]),
          )}\n`,
        );
      }
    }
    return 0;
  });
}

function globalPeers(
  stored: readonly {
    readonly resource: { readonly metadata: { name: string }; spec: JsonObject };
  }[],
): GlobalPeer[] {
  return stored.flatMap(({ resource: { metadata, spec } }) => {
    const text = stringOf(spec, 'peerIP');
    const peer = parsePeerAddress(text);
    const isGlobal = stringOf(spec, 'node') === '' && stringOf(spec, 'nodeSelector') === '';
    if (peer === undefined || !isGlobal) return [];
    const asNumber = String(toAsNumber(spec['asNumber']) ?? 0);
    return { name: metadata.name, address: peer.address, text, asNumber };
  });
}
