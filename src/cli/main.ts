#!/usr/bin/env node
/** The command line `clipvq`. Only the command that is called is loaded. */

import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { commandNames, descriptions } from './command-names.ts';
import { loaders } from './commands.ts';
import { userFolder } from './invocation.ts';
import { printError, reportFailure, watchStreams } from './output.ts';

const { version } = createRequire(import.meta.url)('clip-vqdiffusion/package.json') as { version: string };

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
 * Mistakes in options end like all mistakes of the user: one line, code 2. The setting has to reach nested commands
 * too.
 */
function strict(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => {} });
  command.commands.forEach(strict);
}

async function main(): Promise<void> {
  watchStreams();
  const args = process.argv.slice(2);
  const flags = { json: args.includes('--json'), debug: args.includes('--debug') };
  try {
    const folder = userFolder();
    if (folder !== undefined) process.chdir(folder);
    await (await programFor(args)).parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) process.exitCode = reportFailure(error, flags);
    else if (error.exitCode === 0 || error.code === 'commander.help') process.exitCode = 0;
    else process.exitCode = printError(error.message.replace(/^error: /, '').replace(/\n+/g, ' '), 2, flags);
  }
}

await main();
