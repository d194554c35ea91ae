/** `clipvq tune`: the sampling settings under which pictures follow prompts best, measured and written into the run. */

import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { Interrupted } from '../base/errors.ts';
import { combinations, type Measured, type Tuning, tune } from '../evaluation/tune.ts';
import { requestOf } from '../generation/options.ts';
import { changedRecipe } from '../recipe/recipe.ts';
import { RunDirectory } from '../run/directory.ts';
import { fingerprint } from '../stage/fingerprint.ts';
import { descriptions } from './command-names.ts';
import { whole, withClip, withCommon } from './options.ts';
import { interruptSignal, note, printResult } from './output.ts';
import { ProgressDisplay } from './progress.ts';
import { table } from './table.ts';
import { TuneRecord } from './tune-record.ts';
import { openScorer, type Scorer, type ScorerOptions } from './tune-scorer.ts';

interface TuneOptions extends ScorerOptions {
  readonly model: string;
  readonly guidance: readonly number[];
  readonly truncation: readonly number[];
  readonly steps?: readonly number[];
  readonly pictures: number;
  readonly finalists: number;
  readonly finalPictures?: number;
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
      '--second-clip <clip>',
      'with --prompts: another CLIP (folder or hub name) that scores (default: the one that conditions)',
    )
    .addOption(
      valuesOption(
        '--guidance <list>',
        numbers('from 0', (x) => x >= 0),
        [1, 1.5, 2, 3, 5],
      ),
    )
    .addOption(
      valuesOption(
        '--truncation <list>',
        numbers('above 0, at most 1', (x) => x > 0 && x <= 1),
        [0.8, 0.9, 1],
      ),
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

/** Values to try; help shows those by default as they are written. */
const valuesOption = (flags: string, read: (text: string) => number[], values: readonly number[]): Option =>
  new Option(flags, 'values to try').argParser(read).default(values, values.join());

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
  const record = new TuneRecord(run.file('tune.jsonl'));
  const scorer = await openScorer(run, options, { pictures, finalPictures }, { signal, display });
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
