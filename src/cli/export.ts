/** `clipvq export`: a trained model in a folder to give away. */

import { Command } from 'commander';
import { sizeText } from '../engine/memory/resident.ts';
import { RunDirectory } from '../run/directory.ts';
import { exportModel } from '../run/export.ts';
import { printResult } from './output.ts';

interface ExportOptions {
  readonly out: string;
  readonly clip?: string;
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
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .action(async (run: string, { out, clip, json = false }: ExportOptions) => {
      const made = await exportModel(RunDirectory.open(run), out, clip);
      printResult(json, made, () => [
        `${made.folder}: ${sizeText(made.bytes)}`,
        ...(made.hubClip === undefined ? [] : [`Its CLIP is ${made.hubClip}, which is fetched where it is not there`]),
        `Try it: clipvq generate --model ${made.folder} "a prompt"`,
      ]);
    });
}
