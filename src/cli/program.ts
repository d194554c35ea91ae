/** The program `clipvq`: only the command that is called is loaded. */

import { Command, CommanderError } from 'commander';
import { packageVersion } from '../files/own-package.ts';
import { commandNames, descriptions } from './command-names.ts';
import { loaders } from './commands.ts';
import { printError, reportFailure } from './output.ts';

const version = packageVersion();

/** The program with the command that is called, and with the names and descriptions of the others. */
async function programFor(args: readonly string[]): Promise<Command> {
  const program = new Command('clipvq')
    .description('Train a text-to-image generator from a folder of pictures without captions.')
    .version(version)
    .showHelpAfterError(false);
  const words = args.filter((arg) => !arg.startsWith('-'));
  const called = words[0] === 'help' ? words[1] : words[0];
  for (const name of commandNames)
    program.addCommand(name === called ? await loaders[name]() : new Command(name).description(descriptions[name]));
  strict(program);
  return program;
}

/**
 * Mistakes in options end like all mistakes of the user: one line, code 2; help wraps beside long options, too. Nested
 * commands need it as well.
 */
function strict(command: Command): void {
  command
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({ minWidthToWrap: 20 });
  command.commands.forEach(strict);
}

/**
 * Run a command line, as `clipvq` followed by these words would.
 * @returns the exit code: 0, 2 for what the user can mend, 130 for an interruption, 1 for a fault of ours.
 */
export async function runProgram(args: readonly string[]): Promise<number> {
  const flags = { json: args.includes('--json'), debug: args.includes('--debug') };
  try {
    await (await programFor(args)).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportFailure(error, flags);
    if (error.exitCode === 0 || error.code === 'commander.help') return 0;
    return printError(error.message.replace(/^error: /, '').replace(/\n+/g, ' '), 2, flags);
  }
}
