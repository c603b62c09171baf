import { CommanderError } from 'commander';
import { isFault, messageOf } from '../base/index.js';
import type { Io } from './io.js';
import { createProgram } from './program.js';

/**
 * Runs one calicoctl command. Never throws: what went wrong stands on `io.err`, and the status is 1.
 * `argv` are the words after the program's name.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let status = 0;
  const program = createProgram(io, (code) => {
    status = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (isFault(error) && error.kind !== 'internal') {
      io.err(`${messageOf(error)}\n`);
      return 1;
    }
    const where = error instanceof Error ? (error.stack ?? error.message) : String(error);
    io.err(`calicoctl has a defect, please report it: ${where}\n`);
    return 1;
  }
}
