import type { Command } from 'commander';
import { subcommand, usage, withFile, type Finish, type Options } from './grammar.js';
import type { Io } from './io.js';

const DRY_RUN =
  'write nothing; tell which flows would pass or be denied that are not now, and which live connections of this host would be ended';

export function addWriting(program: Command, io: Io, finish: Finish): void {
  const verbs = {
    create: 'Make objects; one that exists already is an error.',
    apply: 'Make objects, or change those that exist.',
    replace: 'Change objects; one that does not exist is an error.',
    validate: 'Check files without a datastore.',
  } as const;
  for (const [verb, description] of Object.entries(verbs) as [keyof typeof verbs, string][]) {
    const command: Command = withFile(subcommand(program, io, verb, description)).action(
      async (options: Options) => {
        const { filename } = options;
        if (typeof filename !== 'string') return usage(command, finish);
        const { validateCommand, writeCommand } = await import('./commands/write.js');
        const given = { ...options, filename };
        finish(
          await (verb === 'validate' ? validateCommand(io, given) : writeCommand(io, verb, given)),
        );
      },
    );
    if (verb !== 'validate') command.option('--dry-run', DRY_RUN);
    if (verb === 'create') command.option('--skip-exists', 'leave objects that exist alone');
    command.addHelpText(
      'after',
      `
Examples:
  $ calicoctl ${verb} -f pool.yaml
  $ calicoctl ${verb} -f manifests/ -R
  $ calicoctl ${verb} -f - <<EOF
    apiVersion: projectcalico.org/v3
    kind: IPPool
    metadata:
      name: pool1
    spec:
      cidr: 10.20.0.0/16
      natOutgoing: true
    EOF

Manifests of the first generation (apiVersion: v1) are taken as well: kind ipPool, profile,
policy, hostEndpoint and bgpPeer.`,
    );
  }
}

export function addReading(program: Command, io: Io, finish: Finish): void {
  addGet(program, io, finish);
  addDelete(program, io, finish);
}

function addGet(program: Command, io: Io, finish: Finish): void {
  const get: Command = withFile(
    subcommand(program, io, 'get', 'Show objects of a kind, by name, or of a file.'),
  )
    .argument(
      '[kind]',
      'ipPool, ipReservation, node, profile, workloadEndpoint, networkPolicy, globalNetworkPolicy, tier, networkSet, globalNetworkSet, hostEndpoint, bgpConfiguration, bgpPeer, bgpFilter, felixConfiguration, clusterInformation, stagedNetworkPolicy, stagedGlobalNetworkPolicy',
    )
    .argument('[name...]', 'all when left out')
    .option('-A, --all-namespaces', 'objects of every namespace')
    .option('-a', 'the same as -A')
    .option('-o, --output <format>', 'ps, wide, yaml, json or custom-columns=NAME,…', 'ps')
    .option('--export', 'leave out what only this datastore knows; only with names')
    .action(async (kind: string | undefined, names: string[], options: Options) => {
      if (kind === undefined && options['filename'] === undefined) return usage(get, finish);
      const { getCommand } = await import('./commands/get.js');
      const allNamespaces = options['allNamespaces'] === true || options['a'] === true;
      const given = { ...options, output: String(options['output']), allNamespaces };
      finish(await getCommand(io, kind === undefined ? [] : [kind, ...names], given));
    })
    .addHelpText(
      'after',
      `
Examples:
  $ calicoctl get ippools -o wide
  $ calicoctl get node node1 -o yaml > node1.yaml
  $ calicoctl get wep -A -o custom-columns=NODE,NETWORKS,PROFILES`,
    );
}

function addDelete(program: Command, io: Io, finish: Finish): void {
  const remove: Command = withFile(
    subcommand(program, io, 'delete', 'Delete objects by name or of a file.'),
  )
    .argument('[kind]')
    .argument('[name...]')
    .option('-s, --skip-not-exists', 'objects that do not exist are no error')
    .option('--dry-run', DRY_RUN)
    .action(async (kind: string | undefined, names: string[], options: Options) => {
      if (kind === undefined && options['filename'] === undefined) return usage(remove, finish);
      const { deleteCommand } = await import('./commands/delete.js');
      finish(await deleteCommand(io, kind === undefined ? [] : [kind, ...names], options));
    })
    .addHelpText(
      'after',
      `
Examples:
  $ calicoctl delete ippool pool1
  $ calicoctl delete -f pool.yaml --skip-not-exists

A pool is disabled first and its blocks are released; addresses in use stay valid.
A node goes with its endpoints, addresses and blocks; its daemon must have been stopped.
A tier goes only when no policy is in it.`,
    );
}
