/** `clipvq generate`: prompts in, PNG files out. */

import fs from 'node:fs';
import path from 'node:path';
import { Command, Option } from 'commander';
import { writeFileAtomic } from '../checkpoint/atomic.ts';
import { fileError } from '../checkpoint/file-errors.ts';
import { type SamplerName, samplers } from '../diffusion/samplers/index.ts';
import { UserError } from '../errors.ts';
import { type EngineOptions, Generator } from '../model.ts';
import { between, type CommonOptions, whole, withCommon } from './options.ts';
import { interruptSignal, printResult } from './output.ts';
import { type ProfileOptions, profiled, withProfile } from './profile.ts';
import { ProgressDisplay } from './progress.ts';
import { readPrompts } from './prompts.ts';

interface GenerateOptions extends CommonOptions, ProfileOptions {
  readonly model: string;
  readonly prompts?: string;
  readonly number: number;
  readonly seed: number;
  readonly sampler?: SamplerName;
  readonly steps?: number;
  readonly guidance?: number;
  readonly truncation?: number;
  readonly out: string;
}

export function generateCommand(): Command {
  const command = new Command('generate')
    .description('make pictures for prompts')
    .argument('[prompts...]', 'what to make, one prompt an argument')
    .requiredOption('--model <dir>', 'a run directory')
    .option('--prompts <file>', 'read prompts from a file, one a line')
    .option('-n, --number <n>', 'pictures a prompt', whole(1), 4)
    .option('--seed <n>', 'seed of the first picture; the next ones count up', whole(0), 0)
    .addOption(
      new Option('--sampler <name>', 'how codes are drawn (default: as the recipe says)').choices(
        Object.keys(samplers),
      ),
    )
    .option('--steps <n>', 'reverse steps (default: as the recipe says)', whole(1))
    .option(
      '--guidance <s>',
      'how strongly the prompt pulls; 1 is no guidance (default: as the recipe says)',
      between(0, 100),
    )
    .option(
      '--truncation <r>',
      'draw from the most likely codes that hold this share of the probability (default: as the recipe says)',
      between(0.01, 1),
    )
    .option('--out <file|dir>', 'a .png file, or a folder', 'pictures');
  return withProfile(withCommon(command)).action(generate);
}

async function generate(words: string[], options: GenerateOptions): Promise<void> {
  const start = performance.now();
  const prompts = [...words, ...(options.prompts === undefined ? [] : readPrompts(options.prompts))];
  if (prompts.length === 0) throw new UserError('Say what to make: clipvq generate --model <dir> "a prompt"');
  const paths = outputPaths(options.out, prompts, options.number, options.seed);
  await profiled(options, (engine) => generateWith(engine, { prompts, paths, start }, options));
}

interface Wanted {
  readonly prompts: readonly string[];
  /** Where each picture goes. */
  readonly paths: readonly string[];
  /** When the command began. */
  readonly start: number;
}

async function generateWith(
  engine: EngineOptions,
  { prompts, paths, start }: Wanted,
  options: GenerateOptions,
): Promise<void> {
  const display = new ProgressDisplay();
  const generator = await Generator.load(options.model, engine);
  try {
    const pictures = await generator.generate(prompts, {
      count: options.number,
      seed: options.seed,
      sampler: options.sampler,
      steps: options.steps,
      guidanceScale: options.guidance,
      truncation: options.truncation,
      signal: interruptSignal(),
      onProgress: display.count('sampling'),
    });
    display.end();
    const images: { path: string; prompt: string; seed: number; clipScore: number }[] = [];
    for (const [i, picture] of pictures.entries()) {
      const file = paths[i]!;
      writeFileAtomic(file, await generator.toPng(picture));
      images.push({ path: file, prompt: picture.prompt, seed: picture.seed, clipScore: picture.clipScore });
    }
    const seconds = (performance.now() - start) / 1000;
    printResult(options.json ?? false, { images, seconds }, () =>
      images.map((i) => `${i.path}  CLIP score ${i.clipScore.toFixed(3)}  "${i.prompt}"`),
    );
  } finally {
    await generator.close();
  }
}

/** Where each picture goes, made before any work: one file as it is named, several numbered, a folder filled. */
function outputPaths(out: string, prompts: readonly string[], count: number, seed: number): string[] {
  const isFile = out.toLowerCase().endsWith('.png');
  const folder = isFile ? path.dirname(out) : out;
  try {
    fs.mkdirSync(folder, { recursive: true });
    fs.accessSync(folder, fs.constants.W_OK);
  } catch (error) {
    throw fileError('write to', folder, error);
  }
  const total = prompts.length * count;
  return prompts.flatMap((prompt, p) =>
    Array.from({ length: count }, (_, i) => {
      const index = p * count + i + 1;
      if (isFile) return total === 1 ? out : `${out.slice(0, -4)}-${index}${out.slice(-4)}`;
      return path.join(folder, `${String(index).padStart(String(total).length, '0')}-${slug(prompt)}-${seed + i}.png`);
    }),
  );
}

function slug(prompt: string): string {
  const words = prompt
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return words.slice(0, 48).replace(/-$/, '') || 'picture';
}
