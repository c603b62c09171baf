import type { Command } from 'commander';
import { subcommand, usage, type Finish, type Options } from './grammar.js';
import type { Io } from './io.js';

export function addChanging(program: Command, io: Io, finish: Finish): void {
  addPatch(program, io, finish);
  addLabel(program, io, finish);
}

function addPatch(program: Command, io: Io, finish: Finish): void {
  const patch: Command = subcommand(program, io, 'patch', 'Change some members of one object.')
    .argument('[kind]')
    .argument('[name]')
    .option('-p, --patch <text>', 'JSON or YAML with the members to change; null removes one')
    .option('-t, --type <type>', 'strategic or merge: both mean the same here', 'strategic')
    .option('-n, --namespace <name>', 'namespace of the object')
    .action(async (kind: string | undefined, name: string | undefined, options: Options) => {
      const text = options['patch'];
      if (kind === undefined || name === undefined || typeof text !== 'string') {
        return usage(patch, finish);
      }
      const { patchCommand } = await import('./commands/patch.js');
      const given = { ...options, patch: text, type: String(options['type']) };
      finish(await patchCommand(io, [kind, name], given));
    })
    .addHelpText(
      'after',
      `
Examples:
  $ calicoctl patch ippool pool1 -p '{"spec":{"disabled":true}}'
  $ calicoctl patch node node1 -p '{"spec":{"bgp":{"routeReflectorClusterID":"1.0.0.1"}}}'`,
    );
}

function addLabel(program: Command, io: Io, finish: Finish): void {
  const label: Command = subcommand(program, io, 'label', 'Set or remove one label of one object.')
    .argument('[kind]')
    .argument('[name]')
    .argument('[label]', 'key=value, or the key alone with --remove')
    .option('--overwrite', 'change the value of a label that exists')
    .option('--remove', 'remove the label')
    .option('-n, --namespace <name>', 'namespace of the object')
    .action(async (kind?: string, name?: string, assignment?: string, options: Options = {}) => {
      if (kind === undefined || name === undefined || assignment === undefined) {
        return usage(label, finish);
      }
      const { labelCommand } = await import('./commands/label.js');
      finish(await labelCommand(io, [kind, name, assignment], options));
    })
    .addHelpText(
      'after',
      `
Examples:
  $ calicoctl label node node1 rack=r1
  $ calicoctl label node node1 rack=r2 --overwrite
  $ calicoctl label node node1 rack --remove`,
    );
}
