/** `zen-watcher completion bash|zsh|fish`: what a shell needs to complete commands, options and their words. */
import { Argument, type Command } from 'commander';
import { Output } from './output.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/** An option of a command. */
interface OptionWords {
  /** `-o`, `--output`. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** The words that it takes, where there are only some. */
  readonly choices: readonly string[];
}

/** A command by its path, such as `config print`. */
interface CommandWords {
  readonly path: readonly string[];
  readonly description: string;
  readonly options: readonly OptionWords[];
  readonly choices: readonly string[];
}

/** Adds the command. It completes what `program` has when it runs. */
export function addCompletionCommand(program: Command, io: { readonly stdout: NodeJS.WritableStream }): void {
  program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'which one').choices(shells))
    .addHelpText(
      'after',
      `
Examples:
  source <(zen-watcher completion bash)
  zen-watcher completion zsh > "\${fpath[1]}/_zen-watcher"
  zen-watcher completion fish > ~/.config/fish/completions/zen-watcher.fish`,
    )
    .action(async (shell: Shell) => {
      const output = new Output(io.stdout);
      await output.write(completionScript(program, shell));
      await output.release();
    });
}

/** The script for one shell. */
export function completionScript(program: Command, shell: Shell): string {
  const commands = commandsOf(program, []);
  switch (shell) {
    case 'bash':
      return bash(program.name(), commands);
    case 'zsh':
      return zsh(program.name(), commands);
    case 'fish':
      return fish(program.name(), commands);
  }
}

function commandsOf(command: Command, path: readonly string[]): CommandWords[] {
  const own: CommandWords = {
    path,
    description: command.description(),
    options: [...command.createHelp().visibleOptions(command)].map((option) => ({
      flags: [option.short, option.long].filter((flag) => flag !== undefined),
      description: option.description,
      takesValue: option.required || option.optional,
      choices: option.argChoices ?? [],
    })),
    choices: [
      ...command.commands.map((each) => each.name()),
      ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    ],
  };
  return [own, ...command.commands.flatMap((each) => commandsOf(each, [...path, each.name()]))];
}

function bash(name: string, commands: readonly CommandWords[]): string {
  const cases = commands.map(({ path, options, choices }) => {
    const words = [...choices, ...options.flatMap(({ flags }) => flags)].join(' ');
    const values = options
      .filter(({ takesValue }) => takesValue)
      .map(({ flags, choices: own }) => {
        const reply = own.length === 0 ? 'return' : `COMPREPLY=($(compgen -W '${own.join(' ')}' -- "$cur")); return`;
        return `        ${flags.join('|')}) ${reply} ;;`;
      });
    const lines = values.length === 0 ? [] : ['      case "$prev" in', ...values, '      esac'];
    return [`    '${path.join(' ')}')`, ...lines, `      words='${words}' ;;`].join('\n');
  });
  const known = commands.filter(({ path }) => path.length > 0).map(({ path }) => `'${path.join(' ')}'`);
  return `# bash completion of ${name}
_${safe(name)}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path='' word words=''
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in ${known.join('|')}) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _${safe(name)} ${name}
`;
}

function zsh(name: string, commands: readonly CommandWords[]): string {
  const cases = commands.map(({ path, options, choices }) => {
    const specs = options.flatMap(({ flags, description, takesValue, choices: own }) =>
      flags.map((flag) => {
        const value = takesValue ? `:value:${own.length === 0 ? '_files' : `(${own.join(' ')})`}` : '';
        return `'${flag}[${quoted(description)}]${value}'`;
      }),
    );
    const rest = choices.length === 0 ? `'*:file:_files'` : `'*:word:(${choices.join(' ')})'`;
    return `    '${path.join(' ')}') _arguments ${[...specs, rest].join(' ')} ;;`;
  });
  const known = commands.filter(({ path }) => path.length > 0).map(({ path }) => `'${path.join(' ')}'`);
  return `#compdef ${name}
_${safe(name)}() {
  local line='' word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${line:+$line }$word" in (${known.join('|')}) line="\${line:+$line }$word" ;; esac
  done
  case "$line" in
${cases.join('\n')}
  esac
}
compdef _${safe(name)} ${name}
`;
}

function fish(name: string, commands: readonly CommandWords[]): string {
  const lines = commands.flatMap(({ path, options, choices }) => {
    const [last] = path.slice(-1);
    const below = choices.filter((choice) =>
      commands.some((each) => each.path.join(' ') === [...path, choice].join(' ')),
    );
    const notBelow = below.length === 0 ? '' : `; and not __fish_seen_subcommand_from ${below.join(' ')}`;
    const when = last === undefined ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${last}${notBelow}`;
    const start = `complete -c ${name} -n '${when}'`;
    const words = choices.map((choice) => {
      const found = commands.find((each) => each.path.join(' ') === [...path, choice].join(' '));
      return `${start} -f -a ${choice}${found === undefined ? '' : ` -d '${quoted(found.description)}'`}`;
    });
    const flags = options.map(({ flags: all, description, takesValue, choices: own }) => {
      const names = all
        .map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
        .join(' ');
      const value = takesValue ? (own.length === 0 ? ' -r' : ` -x -a '${own.join(' ')}'`) : '';
      return `${start} ${names}${value} -d '${quoted(description)}'`;
    });
    return [...words, ...flags];
  });
  return `# fish completion of ${name}\n${lines.join('\n')}\n`;
}

/** A name for a shell function. */
function safe(name: string): string {
  return name.replaceAll('-', '_');
}

/** Within single quotes and the brackets of zsh. */
function quoted(text: string): string {
  return text.replaceAll("'", '’').replaceAll(/[[\]:]/g, ' ');
}
