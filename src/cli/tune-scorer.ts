/** What `clipvq tune` scores pictures by. */

import { createHash } from 'node:crypto';
import { UserError } from '../base/errors.ts';
import { packImages } from '../data/pictures/image.ts';
import { ownScores } from '../embedding/cosine.ts';
import type { ClipEmbedder } from '../embedding/embedder.ts';
import { clipName } from '../embedding/sources/clip-source.ts';
import { Engine } from '../engine/engine.ts';
import { faceRequests, openFaceClassifier, recognisedShares } from '../evaluation/classifier/face-classifier.ts';
import type { Interval } from '../evaluation/interval.ts';
import type { TunedSettings } from '../evaluation/tune.ts';
import { cacheFolder } from '../files/cache-folder.ts';
import type { GeneratedImage, Generator } from '../generation/generator.ts';
import type { RunDirectory } from '../run/directory.ts';
import { fingerprint } from '../stage/fingerprint.ts';
import { openGenerator } from './open-generator.ts';
import { type CommonOptions, engineOptions } from './options.ts';
import { percent } from './percent.ts';
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
  /** Folder or hub name of a second CLIP that scores. */
  readonly secondClip?: string;
  readonly seed: number;
  readonly offline?: boolean;
}

interface Watching {
  readonly signal: AbortSignal;
  readonly display: ProgressDisplay;
}

/** Pictures of the sweep, and those of the choice. */
interface Pictures {
  readonly pictures: number;
  readonly finalPictures: number;
}

/** A model whose pictures are scored. */
interface Drawing {
  readonly generator: Generator;
  /** Hashes of the weights that draw. */
  readonly weights: readonly string[];
  /** One picture a prompt; `from` is the number of the first of them. */
  draw(prompts: readonly string[], settings: TunedSettings, from: number): Promise<GeneratedImage[]>;
}

/**
 * Opens what measures how well pictures follow prompts: a classifier of drawn faces, or a CLIP.
 * @throws UserError if nothing is named that scores, or it cannot be opened.
 */
export async function openScorer(
  run: RunDirectory,
  options: ScorerOptions,
  counts: Pictures,
  watching: Watching,
): Promise<Scorer> {
  const { seed, clip, offline, secondClip } = options;
  const named = options.prompts ?? (run.settings.data === FACES ? FACES : undefined);
  if (named === undefined)
    throw new UserError(
      'Say what pictures are scored by: --prompts <file>, or --prompts faces for a model of drawn faces',
    );
  const given = named === FACES ? undefined : readPrompts(named);
  if (!given && secondClip !== undefined)
    throw new UserError('--second-clip scores the prompts of a file: --prompts <file>');
  // A folder that holds no CLIP needs no model to be refused.
  if (secondClip !== undefined) clipName(secondClip);
  const { signal } = watching;
  const opening = { engineOptions: engineOptions(options), clip, offline, ...watching };
  const generator = await openGenerator(run, opening);
  const drawing: Drawing = {
    generator,
    weights: [run.stageHash('tokenizer'), run.stageHash(run.denoiserStage), generator.clip.id],
    draw(prompts, settings, from) {
      const seeds = prompts.map((_, i) => seed + from + i);
      return generator.generate(prompts, { ...settings, seed: seeds, signal });
    },
  };
  try {
    return given
      ? await scoringByClip(drawing, given, counts, options, watching)
      : await scoringFaces(drawing, counts, options, watching);
  } catch (error) {
    await generator.close();
    throw error;
  }
}

/** Scores by a classifier of drawn faces: the share of the attributes that a prompt names. */
async function scoringFaces(
  { generator, weights, draw }: Drawing,
  { pictures, finalPictures }: Pictures,
  options: ScorerOptions,
  { signal, display }: Watching,
): Promise<Scorer> {
  const engine = Engine.start(engineOptions(options));
  try {
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
      unit: ({ value, low, high }) => `${percent(value, 1)} (${percent(low, 1)} to ${percent(high, 1)}) of attributes`,
      async score(settings, from, to) {
        const wanted = requests.slice(from, to);
        const prompts = wanted.map(({ prompt }) => prompt);
        const made = await draw(prompts, settings, from);
        return recognisedShares(faces, wanted, packImages(made.map(({ image }) => image)));
      },
      async close() {
        await Promise.all([generator.close(), engine.close()]);
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Scores by CLIP: the cosine of a picture with its prompt, by a second CLIP where one is named. */
async function scoringByClip(
  { generator, weights, draw }: Drawing,
  given: readonly string[],
  { pictures, finalPictures }: Pictures,
  { secondClip, offline }: ScorerOptions,
  { signal }: Watching,
): Promise<Scorer> {
  const prompts = halves(given, pictures, finalPictures);
  const promptsHash = createHash('sha256').update(prompts.join('\0')).digest('hex');
  const second =
    secondClip === undefined ? undefined : await openSecondClip(secondClip, generator.clip.id, { offline, signal });
  return {
    name: second ? `the CLIP ${secondClip}` : 'the CLIP that conditions',
    id: fingerprint('clip', ...weights, second?.id ?? '', promptsHash),
    unit: ({ value, low, high }) => `${value.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`,
    async score(settings, from, to) {
      const made = await draw(prompts.slice(from, to), settings, from);
      if (!second) return Float64Array.from(made, ({ clipScore }) => clipScore);
      return scoresBy(second, made, generator.recipe.sampling.promptPrefix);
    },
    async close() {
      await Promise.all([generator.close(), second?.close()]);
    },
  };
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

async function scoresBy(clip: ClipEmbedder, made: readonly GeneratedImage[], prefix: string): Promise<Float64Array> {
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
