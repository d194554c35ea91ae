/** `clipvq export`: a trained model in a folder to give away. */

import { Command } from 'commander';
import { sizeText } from '../engine/memory/resident.ts';
import { RunDirectory } from '../run/directory.ts';
import { exportModel } from '../run/export.ts';
import { printResult } from './output.ts';

interface ExportOptions {
  readonly out: string;
  readonly clip?: string;
  readonly title?: string;
  readonly license?: string;
  readonly json?: boolean;
}

export function exportCommand(): Command {
  return new Command('export')
    .description(
      'copy what generates out of a run: weights, recipe and CLIP, without pictures, caches and private paths',
    )
    .argument('<run>', 'a run directory')
    .requiredOption('--out <dir>', 'a new folder')
    .option('--clip <folder>', "where the run's CLIP lies, if it was moved")
    .option('--title <text>', 'what the model card calls the model (default: the name of the folder)')
    .option('--license <id>', 'the SPDX identifier of its licence, for the model card (default: unknown)')
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .action(async (run: string, { out, json = false, ...options }: ExportOptions) => {
      const made = await exportModel(RunDirectory.open(run), out, options);
      printResult(json, made, () => [
        `${made.folder}: ${sizeText(made.bytes)}`,
        ...(made.hubClip === undefined ? [] : [`Its CLIP is ${made.hubClip}, which is fetched where it is not there`]),
        `Try it: clipvq generate --model ${made.folder} "a prompt"`,
      ]);
    });
}
