import type { Command } from 'commander';
import { configured, subcommand, usage, type Finish, type Options } from './grammar.js';
import type { Io } from './io.js';

export function addContainer(program: Command, io: Io, finish: Finish): void {
  const container: Command = configured(program.command('container'), io)
    .description('Attach containers of this host that run without a network.')
    .action(() => container.outputHelp());
  const add: Command = subcommand(container, io, 'add', 'Give a container an address of a pool.')
    .argument('[container]', 'its name, or the beginning of its id')
    .argument('[address]', 'an address of an IP pool')
    .option('--network <name>', 'the Docker network to be on, where several have the address')
    .action(async (word: string | undefined, address: string | undefined, options: Options) => {
      if (word === undefined || address === undefined) return usage(add, finish);
      const { containerAddCommand } = await import('./commands/container.js');
      const { network } = options;
      const named = typeof network === 'string' ? { network } : {};
      finish(await containerAddCommand(io, { container: word, address, ...named }));
    })
    .addHelpText(
      'after',
      `
For a container that was started with --net=none. It joins the network of this host whose subnet has
the address; where there is none, one is made for the pool, called calico-POOL. Docker remembers it
and attaches the container again whenever it starts. The endpoint's label "app" is the container's
own (org.projectcalico.label.app, or app), else its name.

Examples:
  $ docker run -d --name=my-nginx --net=none nginx
  $ calicoctl container add my-nginx 192.168.0.10`,
    );
  const remove: Command = subcommand(container, io, 'remove', 'Take a container off its networks.')
    .argument('[container]', 'its name, or the beginning of its id')
    .action(async (word: string | undefined) => {
      if (word === undefined) return usage(remove, finish);
      const { containerRemoveCommand } = await import('./commands/container.js');
      finish(await containerRemoveCommand(io, word));
    })
    .addHelpText('after', '\nExamples:\n  $ calicoctl container remove my-nginx');
}
