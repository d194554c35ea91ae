/** `clipvq bench samplers`: quality against steps and seconds, for each sampler, on a trained model. */

import path from 'node:path';
import { Command } from 'commander';
import { writeFileAtomic } from '../checkpoint/atomic.ts';
import { cacheFolder } from '../checkpoint/cache-folder.ts';
import { drawChart, type Panel, type Series } from '../data/chart.ts';
import { openSource } from '../data/open.ts';
import { UserError } from '../errors.ts';
import { faceRequests, openFaceJudge } from '../evaluation/face-judge.ts';
import { benchSamplers, type Point, type Trial } from '../evaluation/sampler-bench.ts';
import { Generator } from '../model.ts';
import { Engine } from '../runtime/engine.ts';
import { HELD_OUT_FACES_OFFSET } from '../training/pictures.ts';
import { RunDirectory } from '../training/run.ts';
import { type CommonOptions, engineOptions, whole, withCommon } from './options.ts';
import { interruptSignal, note, printResult } from './output.ts';
import { ProgressDisplay } from './progress.ts';
import { readPrompts } from './prompts.ts';

interface Options extends CommonOptions {
  readonly model: string;
  readonly pictures: number;
  readonly steps: string;
  readonly seed: number;
  readonly prompts?: string;
  readonly out?: string;
}

export function benchSamplersCommand(): Command {
  const command = new Command('samplers')
    .description('quality of each sampler against its steps: a table and a plot')
    .requiredOption('--model <dir>', 'a run directory')
    .option('--pictures <n>', 'pictures for each point', whole(16), 512)
    .option('--steps <list>', 'steps to try', '4,8,12,16,25')
    .option('--seed <n>', 'seed of the first picture', whole(0), 0)
    .option('--prompts <file>', 'for models of other pictures than faces: what to ask, one prompt a line')
    .option('--out <dir>', 'where finished points, the table and the plot are kept (default: <model>/samplers)');
  return withCommon(command).action(run);
}

/** The samplers compared: the library's, each as it is meant to be used. */
const COMPARED = {
  strided: { sampler: 'strided', placement: 'even' },
  'strided, cosine': { sampler: 'strided', placement: 'cosine' },
  purity: { sampler: 'purity' },
  halton: { sampler: 'halton' },
  remask: { sampler: 'remask', placement: 'even' },
} as const;
const REFERENCE = 'ancestral';

async function run(options: Options): Promise<void> {
  const steps = options.steps.split(',').map(Number);
  if (!steps.every((n) => Number.isInteger(n) && n >= 1))
    throw new UserError(`--steps ${options.steps} is not a list of whole numbers such as 4,8,16`);
  const signal = interruptSignal();
  const display = new ProgressDisplay();
  const { settings } = RunDirectory.open(options.model);
  const generator = await Generator.load(options.model, engineOptions(options));
  const engine = Engine.start(engineOptions(options));
  try {
    const isFaces = settings.data === 'faces' && options.prompts === undefined;
    const requests = isFaces ? faceRequests(options.pictures) : repeated(promptsOf(options), options.pictures);
    if (!isFaces)
      note(
        'A judge needs pictures whose attributes are known, which only faces are: Fréchet distance and CLIP score alone.',
      );
    const { imageSize } = generator.recipe;
    const judge = isFaces
      ? await openFaceJudge({ engine, imageSize, folder: cacheFolder(), signal, count: (what) => display.count(what) })
      : undefined;
    const real = await realFeatures(generator, settings, options.pictures, signal, display);
    const folder = options.out ?? path.join(options.model, 'samplers');
    const total = generator.recipe.diffusion.timesteps;
    const trials: Trial[] = [
      { name: REFERENCE, sampling: { sampler: 'ancestral', steps: total } },
      ...Object.entries(COMPARED).flatMap(([name, sampling]) =>
        steps
          .filter((n) => n <= Math.min(total, sampling.sampler === 'halton' ? generator.tokens : total))
          .map((n) => ({ name, sampling: { ...sampling, steps: n } })),
      ),
    ];
    const points = await benchSamplers(trials, {
      ...{ generator, requests, judge, real, seed: options.seed, folder, signal },
      onTrial: ({ name, sampling }, done, all) => display.note(`${done + 1}/${all}: ${name}, ${sampling.steps} steps`),
      onProgress: display.count('sampling'),
    });
    display.end();
    const plot = path.join(folder, 'samplers.png');
    writeFileAtomic(plot, await chartOf(points, { pictures: options.pictures, accuracy: judge?.accuracy }));
    const result = { model: options.model, pictures: options.pictures, judge: judge?.accuracy, points, plot };
    printResult(options.json ?? false, result, () => [
      ...(judge
        ? [
            `Judge, right on drawn faces: ${Object.entries(judge.accuracy)
              .map(([name, share]) => `${name} ${(100 * share).toFixed(1)} %`)
              .join(', ')}`,
            '',
          ]
        : []),
      ...table(points),
      '',
      `Plot: ${plot}`,
    ]);
  } finally {
    await Promise.all([generator.close(), engine.close()]);
  }
}

function promptsOf({ prompts }: Options): string[] {
  if (prompts === undefined) throw new UserError('This model is not of faces: name what to ask with --prompts <file>');
  return readPrompts(prompts);
}

const repeated = (prompts: readonly string[], count: number) =>
  Array.from({ length: count }, (_, i) => ({ prompt: prompts[i % prompts.length]!, asked: {} }));

/** CLIP features of pictures like those the model learned from; of faces, such that it has not seen. */
async function realFeatures(
  generator: Generator,
  { data, seed, recipe }: RunDirectory['settings'],
  pictures: number,
  signal: AbortSignal,
  display: ProgressDisplay,
): Promise<Float32Array> {
  const count = Math.max(1000, 2 * pictures);
  const source = await openSource(data, {
    faces: { seed, count, offset: HELD_OUT_FACES_OFFSET },
    background: recipe.pictures.background,
    signal,
    onRejected: () => {},
  });
  const progress = display.count('real');
  const size = Math.min(count, source.size);
  const images = [];
  for (let i = 0; i < size; i++) {
    signal.throwIfAborted();
    images.push(await source.read(Math.floor((i * source.size) / size), recipe.imageSize));
    progress(i + 1, size);
  }
  return generator.clip.embedImages(images);
}

function table(points: readonly Point[]): string[] {
  const reference = points.find(({ name }) => name === REFERENCE)!;
  const head = ['sampler', 'steps', 'judged', '', 'Fréchet', '', 'of ancestral', 'CLIP score', 's/picture'];
  const rows = points.map((p) => [
    p.name,
    `${p.steps}`,
    `${(100 * p.judged).toFixed(1)} %`,
    `± ${(100 * p.judgedError).toFixed(1)}`,
    p.frechet.toFixed(4),
    `± ${p.frechetError.toFixed(4)}`,
    `${p.frechet / reference.frechet > 1 ? '+' : ''}${(100 * (p.frechet / reference.frechet - 1)).toFixed(0)} %`,
    p.clipScore.toFixed(3),
    p.secondsPerPicture.toFixed(3),
  ]);
  const widths = head.map((_, c) => Math.max(...[head, ...rows].map((row) => row[c]!.length)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)))
      .join('  ')
      .trimEnd(),
  );
}

function chartOf(
  points: readonly Point[],
  { pictures, accuracy }: { pictures: number; accuracy: Readonly<Record<string, number>> | undefined },
): Promise<Buffer> {
  const names = [...new Set(points.map(({ name }) => name))];
  const series = (x: (p: Point) => number, y: (p: Point) => number): Series[] =>
    names.map((name) => ({
      label: name,
      isReference: name === REFERENCE,
      points: points
        .filter((p) => p.name === name)
        .map((p) => ({ x: x(p), y: y(p) }))
        .sort((a, b) => a.x - b.x),
    }));
  const percent = (y: number) => `${(100 * y).toFixed(1)} %`;
  const distance = (y: number) => y.toFixed(3);
  const judged: Panel[] = accuracy
    ? [
        {
          title: 'Asked attributes the judge sees',
          xLabel: 'steps',
          format: percent,
          series: series(
            (p) => p.steps,
            (p) => p.judged,
          ),
        },
        {
          title: 'The same against time',
          xLabel: 'seconds a picture',
          format: percent,
          series: series(
            (p) => p.secondsPerPicture,
            (p) => p.judged,
          ),
        },
      ]
    : [];
  return drawChart({
    title: 'Samplers: quality against steps and seconds',
    subtitle: `${pictures} pictures a point; dashed: ${REFERENCE}, all steps`,
    panels: [
      ...judged,
      {
        title: 'Fréchet distance to real pictures',
        xLabel: 'steps',
        format: distance,
        series: series(
          (p) => p.steps,
          (p) => p.frechet,
        ),
      },
      {
        title: 'The same against time',
        xLabel: 'seconds a picture',
        format: distance,
        series: series(
          (p) => p.secondsPerPicture,
          (p) => p.frechet,
        ),
      },
    ],
  });
}
