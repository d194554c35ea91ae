/** `clipvq data`: look at pictures before training on them, or draw the built-in ones. */

import path from 'node:path';
import { Command } from 'commander';
import { encodePng } from '../data/pictures/png.ts';
import { facesSource } from '../data/sources/faces/source.ts';
import { makeFolder } from '../files/atomic.ts';
import { descriptions } from './command-names.ts';
import { dataCheckCommand } from './data-check.ts';
import { writeBeside } from './keeping.ts';
import { whole } from './options.ts';
import { interruptSignal, printResult } from './output.ts';
import { ProgressDisplay } from './progress.ts';

export function dataCommand(): Command {
  const command = new Command('data').description(descriptions.data);
  command.addCommand(dataCheckCommand());
  command
    .command('faces')
    .description('draw faces (DiceBear avataaars) into a folder')
    .requiredOption('--out <dir>', 'where to put them')
    .option('-n, --count <n>', 'how many', whole(1), 100)
    .option('--seed <n>', 'seed of the drawing', whole(0), 0)
    .option('--size <pixels>', 'side of the pictures', whole(16), 64)
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .action(faces);
  return command;
}

interface FacesOptions {
  readonly out: string;
  readonly count: number;
  readonly seed: number;
  readonly size: number;
  readonly json?: boolean;
}

async function faces({ out, count, seed, size, json = false }: FacesOptions): Promise<void> {
  makeFolder(out);
  const source = facesSource({ seed, count, offset: 0 });
  const display = new ProgressDisplay();
  const progress = display.count('drawing');
  const signal = interruptSignal();
  for (let i = 0; i < count; i++) {
    signal.throwIfAborted();
    writeBeside(
      path.join(out, `face-${String(i).padStart(6, '0')}.png`),
      await encodePng(await source.read(i, size), {}),
    );
    progress(i + 1, count);
  }
  printResult(json, { folder: out, count }, () => [`Drew ${count} faces into ${out}`]);
}
