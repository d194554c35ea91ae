#!/usr/bin/env node
/** The command line `clipvq`: one file a command. */

import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { benchCommand } from './bench/index.ts';
import { convertCommand } from './convert.ts';
import { dataCommand } from './data.ts';
import { demoCommand } from './demo.ts';
import { evaluateCommand } from './evaluate.ts';
import { fashionCommand } from './fashion.ts';
import { generateCommand } from './generate.ts';
import { note, reportFailure } from './output.ts';
import { reconstructCommand } from './reconstruct.ts';
import { trainCommand } from './train.ts';

const { version } = createRequire(import.meta.url)('clip-vqdiffusion/package.json') as { version: string };

const program = new Command('clipvq')
  .description('Train a text-to-image generator from a folder of pictures without captions.')
  .version(version)
  .showHelpAfterError(false);
for (const make of [
  demoCommand,
  trainCommand,
  generateCommand,
  reconstructCommand,
  evaluateCommand,
  dataCommand,
  convertCommand,
  benchCommand,
  fashionCommand,
])
  program.addCommand(make());

// Mistakes in options end like all mistakes of the user: one line, code 2. The setting has to reach nested commands too.
const strict = (command: Command): void => {
  command.exitOverride().configureOutput({
    outputError: (text) =>
      note(
        `clipvq: ${text
          .replace(/^error: /, '')
          .trim()
          .replace(/\n+/g, ' ')}`,
      ),
  });
  command.commands.forEach(strict);
};
strict(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError)
    process.exitCode = error.exitCode === 0 || error.code === 'commander.help' ? 0 : 2;
  else process.exitCode = reportFailure(error, process.argv.includes('--debug'));
}
