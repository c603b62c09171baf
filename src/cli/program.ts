import { Command } from 'commander';
import { Fault } from '../base/index.js';
import { addContainer } from './grammar-container.js';
import { addChanging } from './grammar-changes.js';
import { addBgp } from './grammar-bgp.js';
import { addDatastore } from './grammar-datastore.js';
import { addIpam } from './grammar-ipam.js';
import { addReading, addWriting } from './grammar-objects.js';
import { addPolicy } from './grammar-policy.js';
import { configured, subcommand, type Finish, type Options } from './grammar.js';
import type { Io } from './io.js';

/**
 * The grammar of calicoctl. Commands are loaded when they run, so that help is instant.
 * `finish` takes the exit status.
 */
export function createProgram(io: Io, finish: Finish): Command {
  const program: Command = configured(new Command('calicoctl'), io)
    .description(
      'Manages Calico networking of Docker hosts: pools, policies, endpoints, nodes and addresses.',
    )
    .option('--version', 'show the version of this program')
    .option('-l, --log-level <level>', 'accepted here too')
    .option('--context <name>', 'accepted and ignored: for Kubernetes')
    .option('--allow-version-mismatch', 'accepted and ignored: versions are never compared')
    .allowExcessArguments(true)
    .action(async (options: Options) => {
      const [word] = program.args;
      if (word !== undefined) {
        const message = `unknown command "${word}" for "calicoctl"; calicoctl --help lists all`;
        throw new Fault('invalid', message, { reason: 'usage' });
      }
      if (options['version'] !== true) return program.outputHelp();
      const { clientVersion } = await import('./commands/version.js');
      io.out(`calicoctl ${clientVersion}\n`);
    })
    .addHelpText('after', EXAMPLES);
  addWriting(program, io, finish);
  addReading(program, io, finish);
  addChanging(program, io, finish);
  addIpam(program, io, finish);
  addPolicy(program, io, finish);
  addContainer(program, io, finish);
  addDatastore(program, io, finish);
  addBgp(program, io, finish);
  addInformation(program, io, finish);
  addCompletion(program, io);
  return program;
}

const EXAMPLES = `
Examples:
  $ calicoctl create -f pool.yaml        # make what a file describes
  $ calicoctl get ippools -o wide        # all pools with their modes
  $ calicoctl get workloadendpoints -A   # every container of every host
  $ calicoctl ipam show --ip=10.20.0.5   # who holds an address
  $ calicoctl policy trace --from web1 --to db1 --port tcp/3306   # whether that passes, and why
  $ calicoctl status                     # how the daemon of this host is

The datastore is taken from /etc/calico/calicoctl.cfg if it exists, else from ETCD_ENDPOINTS and its
relatives; without either from the daemon of this host.`;

function addInformation(program: Command, io: Io, finish: Finish): void {
  subcommand(program, io, 'version', 'Show the version of this program and of the cluster.')
    .option('--client', 'of this program only')
    .option('--poll <duration>', 'accepted and ignored')
    .action(async (options: Options) => {
      const { versionCommand } = await import('./commands/version.js');
      finish(await versionCommand(io, options));
    });
  subcommand(program, io, 'status', 'Show how the daemon of this host is.')
    .option('-o, --output <format>', 'table or json', 'table')
    .option('--socket <path>', "the daemon's admin socket")
    .action(async (options: Options) => {
      const { statusCommand } = await import('./commands/status.js');
      finish(await statusCommand(io, { ...options, output: String(options['output']) }));
    })
    .addHelpText('after', '\nExamples:\n  $ calicoctl status\n  $ calicoctl status -o json | jq .');
}

function addCompletion(program: Command, io: Io): void {
  configured(program.command('completion [shell]'), io)
    .description('Print what teaches bash, zsh or fish the words of calicoctl.')
    .action(async (shell: string | undefined) => {
      const { completionScript } = await import('./completion.js');
      io.out(completionScript(shell));
    })
    .addHelpText('after', '\nExamples:\n  $ source <(calicoctl completion bash)');
  // What those scripts ask.
  configured(program.command('complete [words...]', { hidden: true }), io).action(
    async (words: readonly string[]) => {
      const { completions } = await import('./completion.js');
      io.out(
        completions(program, words)
          .map((word) => `${word}\n`)
          .join(''),
      );
    },
  );
}
