/** `clipvq data`: look at pictures before training on them, or draw the built-in ones. */

import fs from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { writeFileAtomic } from '../checkpoint/atomic.ts';
import { fileError } from '../checkpoint/file-errors.ts';
import { facesSource } from '../data/faces/source.ts';
import { checkFolder } from '../data/folder.ts';
import { encodePng } from '../data/png.ts';
import { whole } from './options.ts';
import { interruptSignal, printResult } from './output.ts';
import { ProgressDisplay } from './progress.ts';

export function dataCommand(): Command {
  const command = new Command('data').description('check a folder of pictures, or draw the built-in faces');
  command
    .command('check')
    .description('decode every picture once and say which ones training would leave out')
    .argument('<folder>', 'where to look, folders inside included')
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .action(check);
  command
    .command('faces')
    .description('draw faces (DiceBear avataaars) into a folder')
    .requiredOption('--out <dir>', 'where to put them')
    .option('--count <n>', 'how many', whole(1), 100)
    .option('--seed <n>', 'seed of the drawing', whole(0), 0)
    .option('--size <pixels>', 'side of the pictures', whole(16), 64)
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .action(faces);
  return command;
}

async function check(folder: string, { json = false }: { json?: boolean }): Promise<void> {
  const display = new ProgressDisplay();
  const { accepted, rejected } = await checkFolder(folder, {
    onProgress: display.count('checking'),
    signal: interruptSignal(),
  });
  display.end();
  printResult(json, { folder, accepted: accepted.length, rejected }, () => [
    `${folder}: ${accepted.length} pictures can be used, ${rejected.length} files cannot${rejected.length > 0 ? ':' : ''}`,
    ...rejected.map(({ path: file, reason }) => `  ${file}: ${reason}`),
  ]);
}

interface FacesOptions {
  readonly out: string;
  readonly count: number;
  readonly seed: number;
  readonly size: number;
  readonly json?: boolean;
}

async function faces({ out, count, seed, size, json = false }: FacesOptions): Promise<void> {
  try {
    fs.mkdirSync(out, { recursive: true });
  } catch (error) {
    throw fileError('create', out, error);
  }
  const source = facesSource({ seed, count, offset: 0 });
  const display = new ProgressDisplay();
  const progress = display.count('drawing');
  const signal = interruptSignal();
  for (let i = 0; i < count; i++) {
    signal.throwIfAborted();
    writeFileAtomic(
      path.join(out, `face-${String(i).padStart(6, '0')}.png`),
      await encodePng(await source.read(i, size), {}),
    );
    progress(i + 1, count);
  }
  printResult(json, { folder: out, count }, () => [`Drew ${count} faces into ${out}`]);
}
