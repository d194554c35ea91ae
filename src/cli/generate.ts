/** `clipvq generate`: prompts in, PNG files out. */

import fs from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { UserError } from '../base/errors.ts';
import { writeFileAtomic } from '../checkpoint/atomic.ts';
import { fileError } from '../checkpoint/file-errors.ts';
import { type EngineOptions, Generator, type Passes, type SamplingChoice } from '../generation/generator.ts';
import { samplingSchema } from '../recipe/schema.ts';
import { type CommonOptions, settingOption, whole, withCommon } from './options.ts';
import { interruptSignal, printResult } from './output.ts';
import { type ProfileOptions, profiled, withProfile } from './profile.ts';
import { ProgressDisplay } from './progress.ts';
import { readPrompts } from './prompts.ts';

/** How pictures are drawn, by the settings of a recipe: every one but those that belong to the model. */
const SAMPLING_FLAGS = {
  sampler: '--sampler <name>',
  steps: '--steps <n>',
  placement: '--placement <name>',
  remasking: '--remasking <share>',
  guidanceScale: '--guidance <s>',
  guidanceSchedule: '--guidance-schedule <name>',
  guidanceFrom: '--guidance-from <share>',
  guidanceUntil: '--guidance-until <share>',
  truncation: '--truncation <r>',
} as const satisfies Record<keyof SamplingChoice, string>;
type Setting = keyof SamplingChoice;

interface GenerateOptions extends CommonOptions, ProfileOptions, Partial<Omit<SamplingChoice, 'guidanceScale'>> {
  readonly model: string;
  readonly prompts?: string;
  readonly number: number;
  readonly seed: number;
  readonly guidance?: number;
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
    .option('--out <file|dir>', 'a .png file, or a folder', 'pictures');
  for (const [setting, flags] of Object.entries(SAMPLING_FLAGS))
    command.addOption(settingOption(flags, samplingSchema.shape[setting as Setting], 'as the recipe says'));
  return withProfile(withCommon(command)).action(generate);
}

async function generate(words: string[], options: GenerateOptions): Promise<void> {
  const start = performance.now();
  const prompts = [...words, ...(options.prompts === undefined ? [] : readPrompts(options.prompts))];
  if (prompts.length === 0) throw new UserError('Say what to make: clipvq generate --model <dir> "a prompt"');
  const paths = outputPaths(options.out, prompts, options.number, options.seed);
  await profiled(options, (engine) => generateWith(engine, { prompts, paths, start }, options));
}

const samplingOf = ({
  guidance,
  ...options
}: GenerateOptions): { readonly [S in Setting]?: SamplingChoice[S] | undefined } => ({
  sampler: options.sampler,
  steps: options.steps,
  placement: options.placement,
  remasking: options.remasking,
  guidanceScale: guidance,
  guidanceSchedule: options.guidanceSchedule,
  guidanceFrom: options.guidanceFrom,
  guidanceUntil: options.guidanceUntil,
  truncation: options.truncation,
});

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
      ...samplingOf(options),
      signal: interruptSignal(),
      onProgress: display.count('sampling'),
    });
    display.end();
    const images: { path: string; prompt: string; seed: number; clipScore: number; passes: Passes }[] = [];
    for (const [i, picture] of pictures.entries()) {
      const file = paths[i]!;
      writeFileAtomic(file, await generator.toPng(picture));
      const { prompt, seed, clipScore, passes } = picture;
      images.push({ path: file, prompt, seed, clipScore, passes });
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
