import type { Command } from 'commander';
import type { Io } from './io.js';

/** Takes the exit status of a command. */
export type Finish = (status: number) => void;

/** Options as commander collects them; each command declares what it takes. */
export type Options = Record<string, unknown>;

/** Shows the command's help on standard output and ends with 1: what calicoctl panics at. */
export function usage(command: Command, finish: Finish): void {
  command.outputHelp();
  finish(1);
}

export function configured(command: Command, io: Io): Command {
  return command
    .exitOverride()
    .configureOutput({
      writeOut: io.out,
      writeErr: io.err,
      getOutHelpWidth: () => io.columns,
      getErrHelpWidth: () => io.columns,
    })
    .helpCommand(false)
    .showHelpAfterError('(--help shows what is possible)');
}

/** A command with the options that all have. */
export function subcommand(parent: Command, io: Io, words: string, description: string): Command {
  return configured(parent.command(words), io)
    .description(description)
    .option('-c, --config <file>', 'connection to the datastore', undefined)
    .option('-l, --log-level <level>', 'panic, fatal, error, warn, info or debug', 'panic')
    .option('--context <name>', 'accepted and ignored: for Kubernetes')
    .option('--allow-version-mismatch', 'accepted and ignored: versions are never compared');
}

export function withFile(command: Command): Command {
  return command
    .option('-f, --filename <file>', "file or folder with YAML or JSON; '-' is standard input")
    .option('-R, --recursive', 'read folders below as well')
    .option('--skip-empty', 'an empty input is no error')
    .option('-n, --namespace <name>', 'namespace of objects that have one');
}
