/** `clipvq evaluate`: numbers for a trained model. */

import { Command, Option } from 'commander';
import { mapConcurrently } from '../base/concurrency.ts';
import { UserError } from '../base/errors.ts';
import { inTurns } from '../base/steps.ts';
import { isNamedSource } from '../data/sources/open.ts';
import { clipName } from '../embedding/sources/clip-source.ts';
import { clipScore } from '../evaluation/clip-score.ts';
import { facePromptsFile } from '../evaluation/published-prompts.ts';
import { reconstructionQuality } from '../evaluation/reconstruction.ts';
import type { Generator } from '../generation/generator.ts';
import { lead } from '../mpi/ranks.ts';
import { RunDirectory } from '../run/directory.ts';
import { NO_DATA } from '../run/export.ts';
import { type Measuring, openMeasuring } from '../training/pictures/measuring.ts';
import { descriptions } from './command-names.ts';
import { facePrompts } from './face-prompts.ts';
import { openGenerator } from './open-generator.ts';
import { type CommonOptions, engineOptions, hiddenOption, whole, withClip, withCommon } from './options.ts';
import { interruptSignal, note, printResult } from './output.ts';
import { percent } from './percent.ts';
import { ProgressDisplay } from './progress.ts';
import { readPrompts, somePrompts } from './prompts.ts';
import { type Protocol, protocols, underProtocol } from './protocols.ts';
import { currentRanks } from './rank.ts';
import { realWanted, writeReport } from './report.ts';
import { openInstruments } from './report-networks.ts';
import { RealPictures } from './report-sets.ts';

interface EvaluateOptions extends CommonOptions {
  readonly model: string;
  readonly clip?: string;
  readonly data?: string;
  readonly prompts?: string;
  readonly limit?: number;
  readonly pictures: number;
  readonly count?: number;
  /** The former name of `count`. */
  readonly number?: number;
  readonly seed: number;
  readonly report?: string;
  readonly secondClip?: string;
  readonly lpips?: string;
  readonly bestOf?: number;
  readonly trainingPictures: number;
  readonly real?: number;
  readonly inception?: string | true;
  readonly dinov2?: string | true;
  readonly protocol?: Protocol;
  readonly offline?: boolean;
}

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description(descriptions.evaluate)
    .requiredOption('--model <dir>', 'a run directory')
    .option('--data <folder|faces>', 'pictures to reconstruct (default: those that the run has held out)')
    .option('--pictures <n>', 'at most so many of them, drawn at random', whole(1), 256)
    .option(
      '--prompts <file>',
      'prompts to score, one a line, or captions of COCO (captions_val2014.json) (default, for faces only: the eight of the demo)',
    )
    .option('--limit <n>', 'at most so many of the prompts, drawn at random', whole(1))
    .option('-n, --count <n>', 'pictures a prompt (default: 4)', whole(1))
    .addOption(hiddenOption('--number <n>', whole(1)))
    .option('--seed <n>', 'seed of the first picture of a prompt', whole(0), 0)
    .option(
      '--report <dir>',
      'measure everything, with 95 % intervals, and write report.html and report.json: also SSIM, distances to real pictures, precision and recall, copies',
    )
    .option(
      '--second-clip <clip>',
      'with --report: another CLIP (folder or hub name) that scores, having had no part in it',
    )
    .option('--lpips <dir>', 'with --report: a folder with weights of LPIPS (alex, squeeze or vgg)')
    .option(
      '--inception [file]',
      'with --report: FID and Inception score as pytorch-fid defines them, with its weights (by default fetched once, 96 MB)',
    )
    .option(
      '--dinov2 [file]',
      'with --report: FD-DINOv2, with the weights of ViT-L/14 (by default fetched once, 1.2 GB)',
    )
    .option('--best-of <n>', 'with --report: draw n candidates for each picture; scores with and without', whole(1))
    .option(
      '--real <n>',
      'with --report: real pictures that sets are compared with (default: as many as are made, and at least --pictures)',
      whole(1),
    )
    .option('--training-pictures <n>', 'with --report: so many are searched for copies', whole(1), 2000)
    .addOption(
      new Option(
        '--protocol <name>',
        'with --report: the paper\'s: ffhq (best of 16, "a photograph of …", on the 64 prompts of clip2latent, fetched once) or coco (one picture a caption of --prompts)',
      ).choices([...protocols]),
    )
    .option('--offline', 'fetch nothing: use what is in the cache (for CLIPs also HF_HUB_OFFLINE=1)');
  return withCommon(withClip(command)).action(evaluate);
}

async function evaluate(options: EvaluateOptions): Promise<void> {
  refuseWithoutReport(options);
  const run = RunDirectory.open(options.model);
  const { settings } = run;
  const count = options.count ?? options.number ?? 4;
  const signal = interruptSignal();
  const file = await promptsFile(options, signal);
  const isOfFaces = (options.data ?? settings.data) === 'faces';
  const prompts = file === undefined ? (isOfFaces ? facePrompts : []) : somePrompts(readPrompts(file), options.limit);
  // A folder that holds no CLIP needs no model to be refused.
  if (options.secondClip !== undefined) clipName(options.secondClip);
  const display = new ProgressDisplay();
  await using generator = await openGenerator(run, {
    engineOptions: engineOptions(options),
    clip: options.clip,
    offline: options.offline,
    ranks: currentRanks(),
    signal,
    display,
  });
  const prefix = generator.recipe.sampling.promptPrefix;
  const set = underProtocol({ ...options, count }, prompts, { hasOwnPrompts: file !== undefined, prefix });
  const real = realWanted(set.prompts.length * set.count, options.pictures, options.real);
  const reporting = { ...options, ...set, engineOptions: engineOptions(options) };
  await using instruments =
    options.report === undefined
      ? undefined
      : await openInstruments(generator, reporting, set.prompts.length > 0, { signal, display });
  const { source, crop, about, areUnseen } = await openMeasuring(run, options.data, {
    // With a report, real pictures are also compared with each other.
    count: options.report === undefined ? options.pictures : Math.max(options.pictures, 2 * real),
    ...{ signal, display },
    onRejected: ({ path, reason }) => note(`left out: ${path}: ${reason}`),
  });
  if (about !== undefined) note(about);
  if (options.report === undefined || !instruments) {
    await printScores(generator, { ...options, count }, { source, crop, prompts, display, signal });
    return;
  }
  const evaluated = {
    run,
    generator,
    instruments,
    pictures: new RealPictures(source, settings.recipe.imageSize, crop),
    reconstructed: Math.min(options.pictures, source.size),
    areUnseen,
    learned: learnedFrom(settings.data, options.data),
    prompts: set.prompts,
    signal,
    display,
  };
  await writeReport(evaluated, { ...reporting, report: options.report });
}

/** What is measured without a report. */
async function printScores(
  generator: Generator,
  { model, seed, count, json = false }: Pick<EvaluateOptions, 'model' | 'seed' | 'json'> & { readonly count: number },
  { source, crop, prompts, display, signal }: Measured,
): Promise<void> {
  const { imageSize, tokenizer } = generator.recipe;
  const images = await mapConcurrently(source.size, signal, (i) => source.read(i, imageSize, crop));
  const reconstruction = await reconstructionQuality(generator, images, tokenizer.codes);
  const score = prompts.length > 0 ? await scored(generator, prompts, { seed, count }, display, signal) : undefined;
  if (!score) note('No prompts to score: name some with --prompts <file>');
  const result = {
    ...{ model, pictures: images.length, reconstruction },
    ...(score && { prompts: prompts.length, clipScore: score }),
  };
  printResult(json, result, () => [
    `reconstruction of ${images.length} pictures: PSNR ${reconstruction.psnr.toFixed(2)} dB, codebook perplexity ${reconstruction.perplexity.toFixed(0)}, ${percent(reconstruction.usage)} of the codes used`,
    ...(score
      ? [
          `CLIP score, ${prompts.length} prompts x ${count}, by the CLIP that conditions: own prompts ${score.matched.toFixed(3)}, other prompts ${score.shuffled.toFixed(3)} (permutation test p = ${score.p.toFixed(4)})`,
        ]
      : []),
  ]);
}

/** Pictures to reconstruct, and prompts to draw for. */
interface Measured extends Pick<Measuring, 'source' | 'crop'> {
  readonly prompts: readonly string[];
  readonly display: ProgressDisplay;
  readonly signal: AbortSignal;
}

/** The file of the prompts: the one that is named, or a protocol's, where it may be fetched. */
async function promptsFile(
  { prompts, protocol, offline }: EvaluateOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (prompts !== undefined || protocol !== 'ffhq') return prompts;
  const file = await lead(currentRanks(), () => facePromptsFile({ offline, signal }));
  note(`Prompts: the 64 of clip2latent, ${file}`);
  return file;
}

/** An exported model does not name its pictures; one of a built-in set has learned from the set's own. */
function learnedFrom(data: string, other: string | undefined): string | undefined {
  if (data !== NO_DATA) return data;
  return other !== undefined && isNamedSource(other) ? other : undefined;
}

/** @throws UserError where an option has no effect without `--report`. */
function refuseWithoutReport(options: EvaluateOptions): void {
  const { report, secondClip, lpips, bestOf, protocol, real, inception, dinov2 } = options;
  if (report !== undefined) return;
  const given = Object.entries({
    '--second-clip': secondClip,
    '--lpips': lpips,
    '--best-of': bestOf,
    '--protocol': protocol,
    '--real': real,
    '--inception': inception,
    '--dinov2': dinov2,
  });
  const name = given.find(([, value]) => value !== undefined)?.[0];
  if (name !== undefined) throw new UserError(`${name} is part of the report: add --report <dir>`);
}

async function scored(
  generator: Generator,
  prompts: readonly string[],
  drawing: { readonly seed: number; readonly count: number },
  display: ProgressDisplay,
  signal: AbortSignal,
) {
  const pictures = await generator.generate(prompts, {
    ...drawing,
    signal,
    onProgress: display.count('sampling'),
  });
  display.end();
  return scorePictures(generator, prompts, pictures);
}

/** CLIP score of pictures made for prompts, in the order `generate` returns them. */
export async function scorePictures(
  generator: Generator,
  prompts: readonly string[],
  pictures: Awaited<ReturnType<Generator['generate']>>,
) {
  const { clip } = generator;
  const prefix = generator.recipe.sampling.promptPrefix;
  const [images, texts] = [
    await clip.embedImages(pictures.map(({ image }) => image)),
    await clip.embedTexts(prompts.map((p) => prefix + p)),
  ];
  return inTurns()(
    clipScore(
      images,
      texts,
      pictures.map(({ prompt }) => prompts.indexOf(prompt)),
      clip.dim,
    ),
  );
}
