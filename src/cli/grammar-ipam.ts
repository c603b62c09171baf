import type { Command } from 'commander';
import { configured, subcommand, type Finish, type Options } from './grammar.js';
import type { Io } from './io.js';

export function addIpam(program: Command, io: Io, finish: Finish): void {
  const ipam: Command = configured(program.command('ipam'), io)
    .description('Addresses: who holds them, how full pools are, settings.')
    .action(() => ipam.outputHelp());
  subcommand(ipam, io, 'show', 'Show how full pools are, or who holds an address.')
    .option('--ip <address>', 'who holds this address')
    .option('--show-blocks', "the hosts' blocks below each pool")
    .option('--show-borrowed', "addresses out of another host's block")
    .option('--show-configuration', 'settings of the cluster')
    .action(async (options: Options) => {
      const { ipamShowCommand } = await import('./commands/ipam-show.js');
      finish(await ipamShowCommand(io, options));
    })
    .addHelpText(
      'after',
      `
Examples:
  $ calicoctl ipam show --show-blocks
  $ calicoctl ipam show --ip=10.20.0.5`,
    );
  subcommand(ipam, io, 'check', 'Find addresses that are taken and unused, or used and not taken.')
    .option('--show-all-ips', 'print every address, with who uses it')
    .option('--show-problem-ips', 'print the addresses and handles that are wrong')
    .action(async (options: Options) => {
      const { ipamCheckCommand } = await import('./commands/ipam-check.js');
      finish(await ipamCheckCommand(io, options));
    })
    .addHelpText(
      'after',
      `
Addresses of containers that start or stop meanwhile may be listed: look twice. What crashes left over
the daemons find and free by themselves.

Examples:
  $ calicoctl ipam check --show-problem-ips`,
    );
  subcommand(ipam, io, 'configure', 'Change IPAM settings of the cluster.')
    .option('--strictaffinity <bool>', "true: hosts never take addresses of others' blocks")
    .option('--max-blocks-per-host <n>', 'only with strict affinity; 0 is the default of 20')
    .action(async (options: Options) => {
      const { ipamConfigureCommand } = await import('./commands/ipam-configure.js');
      finish(await ipamConfigureCommand(io, options));
    })
    .addHelpText('after', '\nExamples:\n  $ calicoctl ipam configure --strictaffinity=true');
  subcommand(ipam, io, 'release', 'Free one address.')
    .option('--ip <address>', 'the address')
    .option('--force', 'also when an endpoint has it')
    .action(async (options: Options) => {
      const { ipamReleaseCommand } = await import('./commands/ipam-release.js');
      finish(await ipamReleaseCommand(io, options));
    })
    .addHelpText('after', '\nExamples:\n  $ calicoctl ipam release --ip=10.20.0.5');
}
