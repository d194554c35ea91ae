/** What `clipvq tune` scores pictures by. */

import { createHash } from 'node:crypto';
import { UserError } from '../base/errors.ts';
import { packImages } from '../data/pictures/image.ts';
import { ownScores } from '../embedding/cosine.ts';
import { Engine } from '../engine/engine.ts';
import { faceRequests, openFaceClassifier, recognisedShares } from '../evaluation/classifier/face-classifier.ts';
import type { Interval } from '../evaluation/interval.ts';
import type { TunedSettings } from '../evaluation/tune.ts';
import { cacheFolder } from '../files/cache-folder.ts';
import type { GeneratedImage } from '../generation/generator.ts';
import type { RunDirectory } from '../run/directory.ts';
import { fingerprint } from '../stage/fingerprint.ts';
import { openGenerator } from './open-generator.ts';
import { type CommonOptions, engineOptions } from './options.ts';
import type { ProgressDisplay } from './progress.ts';
import { readPrompts } from './prompts.ts';
import { openSecondClip } from './report-networks.ts';

/** The built-in set, whose attributes a classifier knows. */
const FACES = 'faces';

export interface Scorer {
  readonly name: string;
  /** Identity of all that the scores depend on, but for settings and pictures. */
  readonly id: string;
  readonly unit: (interval: Interval) => string;
  score(settings: TunedSettings, from: number, to: number): Promise<Float64Array>;
  close(): Promise<void>;
}

/** The options of `clipvq tune` that say what scores. */
export interface ScorerOptions extends CommonOptions {
  readonly clip?: string;
  readonly prompts?: string;
  readonly judge?: string;
  readonly seed: number;
  readonly offline?: boolean;
}

interface Watching {
  readonly signal: AbortSignal;
  readonly display: ProgressDisplay;
}

/**
 * Opens what measures how well pictures follow prompts: a classifier of drawn faces, or a CLIP.
 * @throws UserError if nothing is named that scores, or it cannot be opened.
 */
export async function openScorer(
  run: RunDirectory,
  options: ScorerOptions,
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
  const opening = { engineOptions: engineOptions(options), clip, offline, signal, display };
  const generator = await openGenerator(run, opening);
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
    const judging =
      judge === undefined ? undefined : await openSecondClip(judge, generator.clip.id, { offline, signal });
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
  clip: Awaited<ReturnType<typeof openSecondClip>>,
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
