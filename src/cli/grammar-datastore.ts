import type { Command } from 'commander';
import { configured, subcommand, usage, type Finish, type Options } from './grammar.js';
import type { Io } from './io.js';

export function addDatastore(program: Command, io: Io, finish: Finish): void {
  const datastore: Command = configured(program.command('datastore'), io)
    .description('The datastore as a whole.')
    .action(() => datastore.outputHelp());
  const migrate: Command = configured(datastore.command('migrate'), io)
    .description('Move everything into another datastore, while containers run.')
    .action(() => migrate.outputHelp())
    .addHelpText('after', STEPS);
  for (const verb of ['lock', 'unlock'] as const) {
    subcommand(
      migrate,
      io,
      verb,
      verb === 'lock'
        ? 'Keep all hosts from giving out or freeing addresses.'
        : 'Let all hosts go on.',
    )
      .action(async (options: Options) => {
        const { datastoreLockCommand } = await import('./commands/datastore-lock.js');
        finish(await datastoreLockCommand(io, verb, options));
      })
      .addHelpText('after', `\nExamples:\n  $ calicoctl datastore migrate ${verb}`);
  }
  subcommand(migrate, io, 'export', 'Write everything to standard output.')
    .action(async (options: Options) => {
      const { datastoreExportCommand } = await import('./commands/datastore-export.js');
      finish(await datastoreExportCommand(io, options));
    })
    .addHelpText('after', '\nExamples:\n  $ calicoctl datastore migrate export > calico.jsonl');
  const load: Command = subcommand(
    migrate,
    io,
    'import',
    'Read what was exported into an empty one.',
  )
    .option('-f, --filename <file>', "what export wrote; '-' is standard input")
    .action(async (options: Options) => {
      const { filename } = options;
      if (typeof filename !== 'string') return usage(load, finish);
      const { datastoreImportCommand } = await import('./commands/datastore-import.js');
      finish(await datastoreImportCommand(io, { ...options, filename }));
    })
    .addHelpText(
      'after',
      `
The datastore is the one that is configured; the embedded one of a host is opened directly
when no daemon has it open. An import that was cut off is repeated.

Examples:
  $ calicoctl datastore migrate import -f calico.jsonl
  $ calicoctl datastore migrate import -c /etc/calico/new-etcd.cfg -f calico.jsonl`,
    );
}

const STEPS = `
From the embedded datastore to etcd, back, or from one etcd to another:
  1. calicoctl datastore migrate lock
  2. calicoctl datastore migrate export > calico.jsonl
  3. configure the other datastore (/etc/calico/calicoctl.cfg) on every host
  4. calicoctl datastore migrate import -f calico.jsonl (into an empty one: of an embedded
     datastore that was used before, move the folder /var/lib/calico/datastore away)
  5. systemctl restart calico-libnetwork on every host: containers run on, with their addresses
  6. calicoctl datastore migrate unlock`;
