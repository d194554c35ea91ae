/** `clipvq tune`: the sampling settings under which pictures follow prompts best, measured and written into the run. */

import { createHash } from 'node:crypto';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { Interrupted, UserError } from '../base/errors.ts';
import { cacheFolder } from '../checkpoint/cache-folder.ts';
import { ownScores } from '../clip/cosine.ts';
import { packImages } from '../data/pictures/image.ts';
import { Engine } from '../engine/engine.ts';
import { faceRequests, openFaceClassifier, recognisedShares } from '../evaluation/classifier/face-classifier.ts';
import type { Interval } from '../evaluation/interval.ts';
import { combinations, type Measured, type TunedSettings, type Tuning, tune } from '../evaluation/tune.ts';
import { type GeneratedImage, Generator } from '../generation/generator.ts';
import { requestOf } from '../generation/options.ts';
import { changedRecipe } from '../recipe/recipe.ts';
import { RunDirectory } from '../run/directory.ts';
import { fingerprint } from '../stage/fingerprint.ts';
import { descriptions } from './command-names.ts';
import { type CommonOptions, engineOptions, whole, withClip, withCommon } from './options.ts';
import { interruptSignal, note, printResult } from './output.ts';
import { ProgressDisplay } from './progress.ts';
import { readPrompts } from './prompts.ts';
import { openJudge } from './report-networks.ts';
import { table } from './table.ts';
import { TuneRecord } from './tune-record.ts';

interface TuneOptions extends CommonOptions {
  readonly model: string;
  readonly clip?: string;
  readonly prompts?: string;
  readonly judge?: string;
  readonly guidance: readonly number[];
  readonly truncation: readonly number[];
  readonly steps?: readonly number[];
  readonly pictures: number;
  readonly finalists: number;
  readonly finalPictures?: number;
  readonly seed: number;
  readonly offline?: boolean;
  readonly dryRun?: boolean;
}

export function tuneCommand(): Command {
  const command = new Command('tune')
    .description(descriptions.tune)
    .requiredOption('--model <dir>', 'a run directory')
    .option(
      '--prompts <file|faces>',
      'prompts, one a line: scored by CLIP, half of them for the sweep, half for the choice; faces is attributes of drawn faces, which a classifier looks for (default for runs on faces)',
    )
    .option(
      '--judge <clip>',
      'with --prompts: the CLIP (folder or hub name) that scores (default: the one that conditions)',
    )
    .option(
      '--guidance <list>',
      'values to try',
      numbers('from 0', (x) => x >= 0),
      [1, 1.5, 2, 3, 5],
    )
    .option(
      '--truncation <list>',
      'values to try',
      numbers('above 0, at most 1', (x) => x > 0 && x <= 1),
      [0.8, 0.9, 1],
    )
    .option(
      '--steps <list>',
      "values to try (default: the run's, half and a quarter)",
      numbers('whole, from 1', (x) => Number.isSafeInteger(x) && x >= 1),
    )
    .option('--pictures <n>', 'pictures for each combination', whole(8), 64)
    .option('--finalists <n>', 'combinations that are measured again, on other prompts and seeds', whole(1), 4)
    .option('--final-pictures <n>', 'pictures for each of them (default: four times --pictures)', whole(8))
    .option('--seed <n>', 'seed of the first picture', whole(0), 0)
    .option('--dry-run', 'print what would be chosen, and leave the run as it is')
    .option('--offline', 'fetch no CLIP: use what is in the cache (also HF_HUB_OFFLINE=1)');
  return withCommon(withClip(command)).action(runTune);
}

/** A reader of numbers with commas between them. */
function numbers(range: string, isIn: (value: number) => boolean) {
  return (text: string): number[] => {
    const values = [...new Set(text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part))))];
    if (values.length === 0 || values.some((value) => !Number.isFinite(value) || !isIn(value)))
      throw new InvalidArgumentError(`give numbers with commas between them, ${range}.`);
    return values;
  };
}

async function runTune(options: TuneOptions): Promise<void> {
  const { pictures, finalists, seed, dryRun = false } = options;
  const finalPictures = options.finalPictures ?? 4 * pictures;
  const run = RunDirectory.open(options.model);
  const { recipe } = run.settings;
  const { guidanceScale, truncation, steps } = recipe.sampling;
  const current = { guidanceScale, truncation, steps };
  const candidates = combinations(
    { guidanceScale: options.guidance, truncation: options.truncation, steps: options.steps ?? fractionsOf(steps) },
    current,
  );
  // Whatever cannot be drawn is found before anything is.
  for (const settings of candidates) requestOf(['a'], { ...settings }, recipe);
  const signal = interruptSignal();
  const display = new ProgressDisplay();
  const scorer = await openScorer(run, options, pictures, finalPictures, { signal, display });
  const record = new TuneRecord(run.file('tune.jsonl'));
  const total = candidates.length + Math.min(finalists + 1, candidates.length);
  note(
    `${candidates.length} combinations on ${pictures} pictures each, by ${scorer.name}; then the best ${finalists} on ${finalPictures} others. What is measured is kept in ${record.file}.`,
  );
  let done = 0;
  try {
    const progress = display.count('combinations');
    const tuning = await tune({
      ...{ candidates, current, pictures, finalists, finalPictures },
      score: async (settings, from, to) => {
        const key = fingerprint('tune', scorer.id, JSON.stringify(settings), `${from} ${to} ${seed}`);
        const scores = record.get(key) ?? (await scorer.score(settings, from, to));
        record.add(key, settings, scores);
        progress(++done, Math.max(total, done));
        return scores;
      },
    });
    display.end();
    if (!dryRun) write(run, tuning, scorer.name);
    printResult(options.json ?? false, { model: run.path, by: scorer.name, written: !dryRun, ...tuning }, () =>
      linesOf(tuning, scorer, dryRun, run.path),
    );
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new Interrupted(`Stopped: ${done} combinations are measured; the same command goes on from there`);
  } finally {
    await scorer.close();
  }
}

/** The built-in set, whose attributes a classifier knows. */
const FACES = 'faces';

/** The steps of the run, half and a quarter of them. */
const fractionsOf = (steps: number): number[] => [
  ...new Set([1, 2, 4].map((part) => Math.max(1, Math.round(steps / part)))),
];

function write(run: RunDirectory, tuning: Tuning, by: string): void {
  const changes = Object.fromEntries(
    Object.entries(tuning.chosen.settings).map(([name, value]) => [`sampling.${name}`, `${value}`]),
  );
  const changed = run.changed({ ...run.settings, recipe: changedRecipe(run.settings.recipe, changes) });
  changed.writeJson('tune.json', { by, ...tuning });
}

interface Scorer {
  readonly name: string;
  /** Identity of all that the scores depend on, but for settings and pictures. */
  readonly id: string;
  readonly unit: (interval: Interval) => string;
  score(settings: TunedSettings, from: number, to: number): Promise<Float64Array>;
  close(): Promise<void>;
}

interface Watching {
  readonly signal: AbortSignal;
  readonly display: ProgressDisplay;
}

/** What measures how well pictures follow prompts: a classifier of drawn faces, or a CLIP. */
async function openScorer(
  run: RunDirectory,
  options: TuneOptions,
  pictures: number,
  finalPictures: number,
  { signal, display }: Watching,
): Promise<Scorer> {
  const { seed, clip, offline, judge } = options;
  const named = options.prompts ?? (run.settings.data === FACES ? FACES : undefined);
  if (named === undefined)
    throw new UserError(
      'Say what pictures are scored by: --prompts <file>, or --prompts faces for a model of drawn faces',
    );
  const given = named === FACES ? undefined : readPrompts(named);
  if (!given && judge !== undefined) throw new UserError('--judge scores the prompts of a file: --prompts <file>');
  const generator = await Generator.load(run.path, { ...engineOptions(options), clip, offline, signal });
  const closing: (() => Promise<void>)[] = [() => generator.close()];
  const close = async () => {
    for (const one of closing) await one();
  };
  const weights = [run.stageHash('tokenizer'), run.stageHash(run.denoiserStage), generator.clip.id];
  const draw = (prompts: readonly string[], settings: TunedSettings, from: number) => {
    const seeds = prompts.map((_, i) => seed + from + i);
    return generator.generate(prompts, { ...settings, seed: seeds, signal });
  };
  try {
    if (!given) {
      const engine = Engine.start(engineOptions(options));
      closing.push(() => engine.close());
      const faces = await openFaceClassifier({
        ...{ engine, signal, imageSize: generator.recipe.imageSize },
        folder: cacheFolder(),
        count: (what) => display.count(what),
      });
      display.end();
      const requests = faceRequests(pictures + finalPictures);
      return {
        name: 'a classifier of drawn faces',
        id: fingerprint('faces', ...weights),
        unit: ({ value, low, high }) => `${percent(value)} (${percent(low)} to ${percent(high)}) of attributes`,
        close,
        async score(settings, from, to) {
          const wanted = requests.slice(from, to);
          const made = await draw(
            wanted.map(({ prompt }) => prompt),
            settings,
            from,
          );
          return recognisedShares(faces, wanted, packImages(made.map(({ image }) => image)));
        },
      };
    }
    const judging = judge === undefined ? undefined : await openJudge(judge, generator.clip.id, { offline, signal });
    if (judging) closing.push(() => judging.close());
    const prompts = halves(given, pictures, finalPictures);
    return {
      name: judging ? `the CLIP ${judge}` : 'the CLIP that conditions',
      id: fingerprint(
        'clip',
        ...weights,
        judging?.id ?? '',
        createHash('sha256').update(prompts.join('\0')).digest('hex'),
      ),
      unit: ({ value, low, high }) => `${value.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`,
      close,
      async score(settings, from, to) {
        const own = prompts.slice(from, to);
        const made = await draw(own, settings, from);
        if (!judging) return Float64Array.from(made, ({ clipScore }) => clipScore);
        return judgedScores(judging, made, generator.recipe.sampling.promptPrefix);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A prompt for each picture: those of the sweep go through one half of the prompts, the others through the other. */
export function halves(prompts: readonly string[], pictures: number, finalPictures: number): string[] {
  const half = Math.ceil(prompts.length / 2);
  const first = prompts.slice(0, half);
  const second = prompts.length > 1 ? prompts.slice(half) : prompts;
  const through = (list: readonly string[], count: number) =>
    Array.from({ length: count }, (_, i) => list[i % list.length]!);
  return [...through(first, pictures), ...through(second, finalPictures)];
}

async function judgedScores(
  clip: Awaited<ReturnType<typeof openJudge>>,
  made: readonly GeneratedImage[],
  prefix: string,
): Promise<Float64Array> {
  const images = await clip.embedImages(made.map(({ image }) => image));
  const texts = await clip.embedTexts(made.map(({ prompt }) => prefix + prompt));
  return Float64Array.from(
    ownScores(
      images,
      texts,
      made.map((_, i) => i),
      clip.dim,
    ),
  );
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function linesOf({ swept, finals, chosen, current }: Tuning, { unit, name }: Scorer, dryRun: boolean, model: string) {
  const row = ({ settings, score, passes }: Measured) => [
    `${settings.guidanceScale}`,
    `${settings.truncation}`,
    `${settings.steps}`,
    `${passes}`,
    unit(score),
    `${score.samples}`,
  ];
  const head = ['guidance', 'truncation', 'steps', 'passes', `score by ${name}`, 'pictures'];
  const { guidanceScale, truncation, steps } = chosen.settings;
  return [
    'All combinations, the best first:',
    ...table([head, ...swept.map(row)]),
    '',
    'The best of them on other prompts and seeds, 95 % intervals:',
    ...table([head, ...finals.map(row)]),
    '',
    `${dryRun ? 'Would be chosen' : 'Chosen'}: guidance ${guidanceScale}, truncation ${truncation}, steps ${steps}: ${unit(chosen.score)}; before: ${unit(current.score)}. It is the cheapest that is no worse than the best by more than the standard error of the difference.`,
    ...(dryRun ? [] : [`Written into ${path.join(model, 'run.json')}; the numbers are in tune.json.`]),
  ];
}
