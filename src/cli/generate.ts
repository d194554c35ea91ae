/** `clipvq generate`: prompts in, PNG files out. */

import { Command } from 'commander';
import { Interrupted, UserError } from '../base/errors.ts';
import type { Knowledge } from '../embedding/compact/knowledge.ts';
import { shippedModel } from '../embedding/sources/shipped.ts';
import type {
  Condition,
  EngineOptions,
  GeneratedImage,
  GenerateOptions,
  Generator,
  Passes,
} from '../generation/generator.ts';
import { requestOf } from '../generation/options.ts';
import type { UsualScore } from '../generation/usual-scores.ts';
import { contactSheet } from '../render/sheet.ts';
import { RunDirectory } from '../run/directory.ts';
import { descriptions } from './command-names.ts';
import { type EditOptions, readEdits, repaintedCodes, withEdits } from './edit-options.ts';
import { openGenerator } from './open-generator.ts';
import { type CommonOptions, hiddenOption, whole, withClip, withCommon } from './options.ts';
import { interruptSignal, printResult } from './output.ts';
import { percent } from './percent.ts';
import { alsoSettledBy, type PictureWriter, pictureWriter } from './picture-files.ts';
import { type ProfileOptions, profiled, withProfile } from './profile.ts';
import { ProgressDisplay } from './progress.ts';
import { readPrompts } from './prompts.ts';
import { currentRanks } from './rank.ts';
import { samplingOf, withSampling } from './sampling-options.ts';
import { type Axis, sweepAxis, sweptSheet } from './sweep.ts';

interface GenerateCommandOptions extends CommonOptions, ProfileOptions, EditOptions {
  readonly model?: string;
  readonly clip?: string;
  readonly prompts?: string;
  readonly count?: number;
  /** The former name of `count`. */
  readonly number?: number;
  readonly seed: number;
  readonly negative?: string;
  readonly bestOf?: number;
  readonly sweep?: readonly Axis[];
  readonly out: string;
}

export function generateCommand(): Command {
  const command = new Command('generate')
    .description(descriptions.generate)
    .argument('[prompts...]', 'what to make, one prompt an argument')
    .option('--model <dir>', 'a run directory (default: the model of drawn faces that is shipped)')
    .option('--prompts <file>', 'read prompts from a file, one a line; lines that begin with # are comments')
    .option('-n, --count <n>', 'pictures a prompt (default: 1)', whole(1))
    .addOption(hiddenOption('--number <n>', whole(1)))
    .option('--seed <n>', 'seed of the first picture; the next ones count up', whole(0), 0)
    .option('--negative <text>', 'what pictures are guided away from, with a guidance of 2 where the model has none')
    .option('--best-of <n>', 'draw n candidates for each picture and keep the one that CLIP scores highest', whole(1))
    .option(
      '--sweep <setting=values>',
      'one labelled sheet of all values of a sampling setting, such as guidance=1,2,3; twice for two settings',
      sweepAxis,
    )
    .option('--out <file|dir>', 'a .png file, or a folder; other pictures there stay', 'pictures');
  return withProfile(withCommon(withClip(withSampling(withEdits(command))))).action(generate);
}

async function generate(words: string[], options: GenerateCommandOptions): Promise<void> {
  const start = performance.now();
  const prompts = [...words, ...(options.prompts === undefined ? [] : readPrompts(options.prompts))];
  if (prompts.length === 0 && options.promptMix === undefined && options.image === undefined)
    throw new UserError('Say what to make: clipvq generate --model <dir> "a prompt"');
  const count = options.count ?? options.number ?? 1;
  const conditions = Math.max(1, prompts.length + (options.promptMix ? 1 : 0));
  const total = options.sweep ? 1 : conditions * count;
  const display = new ProgressDisplay();
  const moved = (file: string) => display.note(`The picture that was there is now ${file}`);
  // Of several ranks the first writes.
  const write = currentRanks().rank === 0 ? pictureWriter(options.out, total, moved) : () => '';
  await profiled(options, (engineOptions) =>
    generateWith(engineOptions, { prompts, count, total, write, display, start }, options),
  );
}

interface Work {
  readonly prompts: readonly string[];
  readonly count: number;
  /** Files in all. */
  readonly total: number;
  readonly write: PictureWriter;
  readonly display: ProgressDisplay;
  /** When the command began. */
  readonly start: number;
}

async function generateWith(
  engineOptions: EngineOptions,
  { prompts, count, total, write: writePicture, display, start }: Work,
  options: GenerateCommandOptions,
): Promise<void> {
  const { json = false, seed, negative, bestOf, sweep } = options;
  const signal = interruptSignal();
  const { model = shippedModel() } = options;
  const run = RunDirectory.open(model);
  const { conditions, start: from } = await readEdits(prompts, options, run.settings.recipe);
  const write = alsoSettledBy(writePicture, repaintedCodes(from, run.settings.recipe));
  const drawing = { count, seed, negative, bestOf, start: from, ...samplingOf(options), signal };
  // What cannot be drawn is refused before a model is loaded; a sweep checks its settings cell by cell.
  requestOf(conditions, sweep ? { count, seed } : drawing, run.settings.recipe, ['bestOf']);
  const opening = { engineOptions, clip: options.clip, ranks: currentRanks(), signal, display };
  const generator = await openGenerator(run, opening);
  try {
    if (sweep) return await writeSweep(generator, conditions, sweep, drawing, { write, display, json });
    const pictures = generator.pictures(conditions, { ...drawing, onProgress: display.count('sampling') });
    // Shown with the first picture, so that a mistake in the options stays one line.
    const notes = unknownLines(prompts, await generator.clip.knowledge(prompts));
    let usual: readonly UsualScore[] | undefined;
    const images: Written[] = [];
    await writePictures({ pictures, generator, write, total, out: options.out }, async (written) => {
      // After the first picture, whose drawing has embedded the prompts.
      usual ??= await generator.usualScores(prompts);
      // With --json the list is one document; else a line is out as soon as its picture is.
      for (const line of notes.splice(0)) display.note(line);
      const scored = { ...written, usualClipScore: usual?.[prompts.indexOf(written.prompt)] };
      if (json) {
        images.push(scored);
        return;
      }
      display.end();
      printResult(false, scored, () => [lineOf(scored, bestOf)]);
    });
    display.end();
    if (json) printResult(true, { images, seconds: (performance.now() - start) / 1000 }, () => []);
  } finally {
    await generator.close();
  }
}

/** One sheet in the place of pictures. */
async function writeSweep(
  generator: Generator,
  conditions: readonly Condition[],
  axes: readonly Axis[],
  options: GenerateOptions & { readonly seed: number },
  { write, display, json }: Pick<Work, 'write' | 'display'> & { readonly json: boolean },
): Promise<void> {
  const onProgress = display.count('drawing the sheet');
  const { sheet, cells } = await sweptSheet(generator, conditions, axes, { ...options, onProgress });
  display.end();
  const named = axes.map(({ name }) => name).join(' ');
  const made = [generator.hash, cells];
  const path = write(await contactSheet(sheet), { prompt: `sweep ${named}`, seed: options.seed, made });
  printResult(json, { sheet: path, cells }, () => [`${path}  ${cells.length} pictures by ${named}`]);
}

/** A picture in the result of the command. */
export interface Written {
  readonly path: string;
  readonly prompt: string;
  readonly seed: number;
  readonly clipScore: number;
  /** Of all candidates. */
  readonly meanClipScore: number;
  readonly passes: Passes;
  /** What pictures that the model has learned from score with this prompt. */
  readonly usualClipScore?: UsualScore | undefined;
}

/** Sentences about prompts whose words a CLIP has not learned. */
export function unknownLines(prompts: readonly string[], knowledge: readonly Knowledge[] | undefined): string[] {
  return (knowledge ?? []).flatMap(({ share, unknown }, i) => {
    if (unknown.length === 0) return [];
    const known = `${percent(share)} of its tokens`;
    return `"${prompts[i]}": this model's CLIP was trained on captions with ${known}; it has not learned ${unknown.join(', ')}`;
  });
}

/**
 * Write pictures as they are finished; no more than one is held here.
 * @throws Interrupted saying how many are written and where, when the drawing was stopped.
 */
export async function writePictures(
  work: {
    readonly pictures: AsyncIterable<GeneratedImage>;
    readonly generator: Pick<Generator, 'toPng' | 'hash'>;
    readonly write: PictureWriter;
    readonly total: number;
    readonly out: string;
  },
  onWritten: (written: Written) => void | Promise<void>,
): Promise<void> {
  const { pictures, generator, write, total, out } = work;
  let done = 0;
  try {
    for await (const picture of pictures) {
      const { prompt, negative, seed, settings, clipScore, meanClipScore, passes, edit } = picture;
      const made = [generator.hash, settings, negative ?? null, ...(edit ? [edit.start, edit.strength] : [])];
      const file = write(await generator.toPng(picture), { prompt, seed, made });
      done++;
      await onWritten({ path: file, prompt, seed, clipScore, meanClipScore, passes });
    }
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(`Stopped: ${done} of ${total} pictures are written (${out})`);
  }
}

function lineOf({ path, prompt, clipScore, meanClipScore, usualClipScore: usual }: Written, bestOf = 1): string {
  const without = bestOf > 1 ? `, best of ${bestOf}; without choosing ${meanClipScore.toFixed(3)}` : '';
  const scale = usual ? ` (any picture: ${usual.mean.toFixed(3)} ± ${usual.deviation.toFixed(3)})` : '';
  return `${path}  CLIP score ${clipScore.toFixed(3)}${scale}${without}  "${prompt}"`;
}
