import type { Command } from 'commander';
import { Fault } from '../base/index.js';
import { kinds } from '../model/v3/index.js';

/** Commands whose first word is a kind. */
const TAKES_KIND: ReadonlySet<string> = new Set(['get', 'delete', 'label', 'patch']);

/** What may stand in place of the last of the words behind `calicoctl`, which is a beginning or empty. */
export function completions(program: Command, words: readonly string[]): readonly string[] {
  const last = words.at(-1) ?? '';
  let command = program;
  let plain = 0;
  for (const word of words.slice(0, -1)) {
    if (word.startsWith('-')) continue;
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) plain += 1;
    else command = next;
  }
  return candidates(command, last, plain)
    .filter((word) => word.startsWith(last))
    .sort();
}

function candidates(command: Command, last: string, plain: number): readonly string[] {
  if (last.startsWith('-')) {
    return [...command.options.flatMap(({ long }) => long ?? []), '--help'];
  }
  if (command.commands.length > 0) return shownCommands(command);
  return TAKES_KIND.has(command.name()) && plain === 0
    ? kinds.map(({ plural }) => plural.toLowerCase())
    : [];
}

/** Those that help lists. */
function shownCommands(command: Command): readonly string[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((each) => each.name());
}

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_calicoctl() {
  local IFS=$'\\n'
  COMPREPLY=($(calicoctl complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _calicoctl calicoctl
`,
  zsh: `#compdef calicoctl
_calicoctl() {
  local -a found
  found=(\${(f)"$(calicoctl complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  compadd -a found || _files
}
compdef _calicoctl calicoctl
`,
  fish: `complete -c calicoctl -a '(calicoctl complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
};

/** The script that teaches a shell; Fault `invalid` for one that is not known. */
export function completionScript(shell: string | undefined): string {
  const script = shell === undefined ? undefined : SCRIPTS[shell];
  if (script !== undefined) return script;
  const message = `unknown shell "${shell ?? ''}": choose ${Object.keys(SCRIPTS).join(', ')}`;
  throw new Fault('invalid', message, { reason: 'usage' });
}
