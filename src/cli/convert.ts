/** `clipvq convert`: checkpoints of the reference program into a model directory, and back. */

import fs from 'node:fs';
import { Command, Option } from 'commander';
import { UserError } from '../base/errors.ts';
import { exportDiffusion, exportTokenizer } from '../convert/export.ts';
import { importCheckpoints } from '../convert/import.ts';
import type { WeightsChoice } from '../convert/reference.ts';
import { presets } from '../recipe/recipe.ts';
import { RunDirectory } from '../run/directory.ts';
import { descriptions } from './command-names.ts';
import { whole } from './options.ts';
import { note, printResult } from './output.ts';

interface ConvertOptions {
  readonly out: string;
  readonly to?: 'torch';
  readonly part: 'diffusion' | 'tokenizer';
  readonly clip?: string;
  readonly heads?: number;
  readonly imageSize?: number;
  readonly preset: string;
  readonly weights: WeightsChoice;
  readonly json?: boolean;
}

export function convertCommand(): Command {
  return new Command('convert')
    .description(descriptions.convert)
    .argument('<files...>', 'tokenizer .ckpt, solver .pth, released .pt; with --to torch, one run directory')
    .requiredOption('--out <dir|file>', 'the model directory to make; with --to torch, the file to write')
    .addOption(new Option('--to <format>', 'write a checkpoint instead of reading one').choices(['torch']))
    .addOption(
      new Option('--part <name>', 'with --to torch: what to write')
        .choices(['diffusion', 'tokenizer'])
        .default('diffusion'),
    )
    .option(
      '--clip <folder|hub name>',
      'the CLIP the model was trained with (default: ViT-B/32 where the width is 512)',
    )
    .option('--heads <n>', 'attention heads of the transformer (default: one for each 32 channels)', whole(1))
    .option(
      '--image-size <n>',
      "side of the pictures, for a tokenizer without a diffusion model (default: the preset's)",
      whole(1),
    )
    .addOption(
      new Option('--preset <name>', 'settings that weights do not show, for sampling and further training')
        .choices(Object.keys(presets))
        .default('ffhq-256'),
    )
    .addOption(
      new Option('--weights <name>', 'of a solver checkpoint: the running average, or the last weights')
        .choices(['ema', 'model'])
        .default('ema'),
    )
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .action(convert);
}

function convert(files: string[], options: ConvertOptions): void {
  if (options.to === 'torch') toTorch(files, options);
  else fromTorch(files, options);
}

function fromTorch(files: readonly string[], options: ConvertOptions): void {
  const folder = files.find((file) => fs.statSync(file, { throwIfNoEntry: false })?.isDirectory());
  if (folder !== undefined)
    throw new UserError(
      `${folder} is a folder: give checkpoint files, or add --to torch to write one from a run directory`,
    );
  const { run, tokenizer, diffusion, notes } = importCheckpoints({ ...options, files });
  for (const one of notes) note(one);
  const { recipe, clip } = run.settings;
  const missing = [...(tokenizer ? [] : ['tokenizer']), ...(diffusion ? [] : ['diffusion model'])];
  printResult(options.json ?? false, { model: run.path, tokenizer, diffusion, clip, recipe }, () => [
    `Made ${run.path}: ${recipe.imageSize} pixels, ${recipe.tokenizer.codes} codes, CLIP ${clip}.`,
    ...missing.map((part) => `It has no ${part}: convert again with the file that holds it.`),
    ...(missing.length === 0 ? [`Try it: clipvq generate --model ${run.path} "a prompt"`] : []),
    `Train it further: clipvq train --from ${run.path} --data <folder> --run <new folder>`,
  ]);
}

function toTorch(folders: readonly string[], { out, part, json }: ConvertOptions): void {
  const [folder] = folders as readonly [string, ...string[]];
  if (folders.length > 1) throw new UserError('Name one run directory');
  if (fs.existsSync(out)) throw new UserError(`${out} is there already: choose another name, or remove it`);
  const run = RunDirectory.open(folder);
  const tensors = part === 'tokenizer' ? exportTokenizer(run, out) : exportDiffusion(run, out);
  printResult(json ?? false, { file: out, part, tensors }, () => [`Wrote ${tensors} tensors to ${out}.`]);
}
