import type { Command } from 'commander';
import { configured, subcommand, usage, type Finish, type Options } from './grammar.js';
import type { Io } from './io.js';

/** `node …` and `bgp …`. */
export function addBgp(program: Command, io: Io, finish: Finish): void {
  const node: Command = configured(program.command('node'), io)
    .description('This host in the cluster: BGP sessions, requirements, route reflection.')
    .action(() => node.outputHelp());
  addNode(node, io, finish);
  const bgp: Command = configured(program.command('bgp'), io)
    .description('Short forms for BGPConfiguration and global BGPPeers.')
    .action(() => bgp.outputHelp());
  addMesh(bgp, io, finish);
  const peer: Command = configured(bgp.command('peer'), io)
    .description('Global peers: routers that every node speaks BGP with.')
    .action(() => peer.outputHelp());
  addPeer(peer, io, finish);
}

function addNode(node: Command, io: Io, finish: Finish): void {
  subcommand(node, io, 'status', 'Show whether Calico runs on this host, and its BGP sessions.')
    .option('-o, --output <format>', 'table or json', 'table')
    .action(async (options: Options) => {
      const { nodeStatusCommand } = await import('./commands/node-status.js');
      finish(await nodeStatusCommand(io, { output: String(options['output']) }));
    })
    .addHelpText('after', '\nExamples:\n  $ calicoctl node status');
  subcommand(node, io, 'checksystem', 'Check that this host has what Calico needs.')
    .action(async () => {
      const { checkSystemCommand } = await import('./commands/node-checksystem.js');
      finish(await checkSystemCommand(io));
    })
    .addHelpText('after', '\nExamples:\n  $ calicoctl node checksystem');
  subcommand(
    node,
    io,
    'drain',
    'Empty a node: nothing new starts on it, and it gives up what it holds.',
  )
    .argument('[node]', 'this host when left out')
    .option('--wait <seconds>', 'wait so long for its containers to end', '0')
    .option('--force', 'also the last route reflector')
    .option('--undo', 'make it an ordinary node again')
    .action(async (name: string | undefined, options: Options) => {
      const { drainCommand } = await import('./commands/node-drain.js');
      finish(await drainCommand(io, name, { ...options, wait: String(options['wait']) }));
    })
    .addHelpText(
      'after',
      `
Running containers are not touched: end them, or move them, and give the command again. When none is left the
node's blocks and tunnel addresses are released and its BGP sessions end; "calicoctl delete node" removes the rest.

Exit status: 0 the node is empty, 2 containers still run on it.

Examples:
  $ calicoctl node drain node2
  $ calicoctl node drain node2 --wait 600
  $ calicoctl node drain node2 --undo`,
    );
  subcommand(node, io, 'reflector', 'Make a node a BGP route reflector.')
    .argument('[node]', 'this host when left out')
    .option('--cluster-id <id>', 'four numbers with dots; reflectors of the same clients share it')
    .option(
      '--clients <selector>',
      'nodes that are its clients; all that reflect nothing when left out',
    )
    .option('--remove', 'make it an ordinary node again')
    .action(async (name: string | undefined, options: Options) => {
      const { reflectorCommand } = await import('./commands/node-reflector.js');
      finish(await reflectorCommand(io, name, options));
    })
    .addHelpText(
      'after',
      `
Examples:
  $ calicoctl node reflector node4 --cluster-id 1.0.0.1
  $ calicoctl node reflector r1a --cluster-id 1.0.0.1 --clients "rack == 'r1'"
  $ calicoctl node reflector node4 --remove

Reflectors have sessions among themselves without further ado. End the node-to-node mesh once their
sessions are up: calicoctl bgp node-mesh off.`,
    );
}

function addMesh(bgp: Command, io: Io, finish: Finish): void {
  subcommand(bgp, io, 'node-mesh', 'Show or switch the sessions of all nodes with all.')
    .argument('[state]', 'on or off')
    .action(async (state: string | undefined, options: Options) => {
      const { nodeMeshCommand } = await import('./commands/bgp-node-mesh.js');
      finish(await nodeMeshCommand(io, state, options));
    })
    .addHelpText(
      'after',
      '\nExamples:\n  $ calicoctl bgp node-mesh\n  $ calicoctl bgp node-mesh off',
    );
}

function addPeer(peer: Command, io: Io, finish: Finish): void {
  const add: Command = subcommand(peer, io, 'add', 'Have a session of every node with a router.')
    .argument('[address]')
    .argument('[as]', 'the word as')
    .argument('[number]', 'AS number of the router')
    .action(async (address?: string, as?: string, number?: string, options: Options = {}) => {
      if (address === undefined || as === undefined || number === undefined) {
        return usage(add, finish);
      }
      const { addPeerCommand } = await import('./commands/bgp-peer.js');
      finish(await addPeerCommand(io, [address, as, number], options));
    })
    .addHelpText('after', '\nExamples:\n  $ calicoctl bgp peer add 172.17.42.40 as 65100');
  const remove: Command = subcommand(
    peer,
    io,
    'remove',
    'End the session of every node with a router.',
  )
    .argument('[address]')
    .action(async (address: string | undefined, options: Options) => {
      if (address === undefined) return usage(remove, finish);
      const { removePeerCommand } = await import('./commands/bgp-peer.js');
      finish(await removePeerCommand(io, address, options));
    })
    .addHelpText('after', '\nExamples:\n  $ calicoctl bgp peer remove 172.17.42.40');
  subcommand(peer, io, 'show', 'Show the routers that every node has a session with.')
    .option('--ipv4', 'of this family only')
    .option('--ipv6', 'of this family only')
    .option('-o, --output <format>', 'table or json', 'table')
    .action(async (options: Options) => {
      const { showPeersCommand } = await import('./commands/bgp-peer.js');
      finish(await showPeersCommand(io, { ...options, output: String(options['output']) }));
    })
    .addHelpText('after', '\nExamples:\n  $ calicoctl bgp peer show');
}
