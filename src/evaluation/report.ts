/**
 * All that is measured of a model: reconstruction, prompts, the set of its pictures against real ones, and whether it
 * copies.
 */

import { type Carry, inTurns, type Steps } from '../base/steps.ts';
import { psnr, type RgbImage } from '../data/pictures/image.ts';
import { ownScores } from '../embedding/cosine.ts';
import type { ClipEmbedder } from '../embedding/embedder.ts';
import { type ClipScore, clipScore } from './clip-score.ts';
import { frechetCost, frechetInterval, kernelCost, kernelInterval } from './feature-distance.ts';
import { type InceptionScore, inceptionScore } from './inception-score.ts';
import { type Interval, meanInterval } from './interval.ts';
import { type Memorisation, memorisation } from './memorisation.ts';
import { mindCost, mindInterval } from './mind.ts';
import { type Neighbourhoods, neighbourhoods, neighbourhoodsCost } from './neighbours.ts';
import type { Codec } from './reconstruction.ts';
import { ssim } from './ssim.ts';

export interface ReconstructionReport {
  readonly pictures: number;
  readonly psnr: Interval;
  readonly ssim: Interval;
  /** LPIPS over a network, where its weights were given. */
  readonly lpips: { readonly net: string; readonly distance: Interval } | undefined;
  /** exp of the entropy of the codes in use, and the share of the codes that occur. */
  readonly perplexity: number;
  readonly usage: number;
}

export interface PromptReport extends ClipScore {
  readonly prompts: number;
  readonly bestOf: number;
  /** Cosine of the pictures that were kept with their prompts, by the CLIP that conditions and chooses. */
  readonly chosen: Interval;
  /** The same without the choice: of each picture the mean of its candidates. */
  readonly unchosen: Interval;
  /** By another CLIP, which has had no part in making or choosing them; without choice of the first candidates. */
  readonly independent: { readonly clip: string; readonly score: Interval; readonly unchosen: Interval } | undefined;
}

/** Distances of a set of pictures from real ones. */
export interface Distances {
  readonly frechet: Interval;
  readonly kernel: Interval;
  readonly mind: Interval;
}

/** Distances of the generated set from the real one, in the features of a network. */
export interface SetReport extends Distances {
  readonly features: string;
  readonly dim: number;
  readonly made: number;
  readonly real: number;
  readonly neighbourhoods: (Neighbourhoods & { readonly k: number }) | undefined;
  /** The same distances of other real pictures, of `pictures` of them: the distances of a perfect generator. */
  readonly floor: (Distances & { readonly pictures: number }) | undefined;
  /** Of networks that name classes. */
  readonly inceptionScore: InceptionScore | undefined;
  /** A warning before the numbers are compared with others. */
  readonly caution: string | undefined;
}

export interface CopyReport extends Omit<Memorisation, 'nearest'> {
  /** The generated pictures that lie nearest to a training picture, the nearest first. */
  readonly nearest: readonly { readonly made: number; readonly training: number; readonly distance: number }[];
}

export interface Report {
  readonly model: string;
  /** The CLIP that conditions the model. */
  readonly clip: string;
  readonly reconstruction: ReconstructionReport;
  readonly prompts: PromptReport | undefined;
  /** One for each network whose features were compared; the CLIP that conditions is the first. */
  readonly sets: readonly SetReport[];
  readonly copies: CopyReport | undefined;
}

/** A picture that was made for a prompt. */
export interface MadePicture {
  readonly image: RgbImage;
  readonly prompt: string;
  /** Its cosine with the prompt, and the mean over its candidates. */
  readonly clipScore: number;
  readonly meanClipScore: number;
}

const BATCH = 64;
/** Neighbours of a neighbourhood: 5, as density and coverage were published with. */
const NEIGHBOURS = 5;
/** The fewest pictures a side for which distances are computed. */
const FEWEST = 8;
const SHOWN_COPIES = 8;

/** The distance of each of some pictures from its counterpart. */
export type PairDistances = (a: readonly RgbImage[], b: readonly RgbImage[]) => Promise<readonly number[]>;

/**
 * Pictures through the tokenizer and back, and what was lost; the pictures come back too.
 * @param onProgress called after each batch of pictures; it may throw to end the work.
 */
export async function reconstructionReport(
  codec: Codec,
  images: readonly RgbImage[],
  codes: number,
  lpips?: { readonly net: string; readonly distances: PairDistances } | undefined,
  onProgress?: (done: number, total: number) => void,
): Promise<{ readonly report: ReconstructionReport; readonly back: readonly RgbImage[] }> {
  const counts = new Float64Array(codes);
  const back: RgbImage[] = [];
  for (let start = 0; start < images.length; start += BATCH) {
    const tokens = await codec.encode(images.slice(start, start + BATCH));
    for (const code of tokens) counts[code]!++;
    back.push(...(await codec.decode(tokens)));
    onProgress?.(back.length, images.length);
  }
  const drawn = counts.reduce((a, b) => a + b, 0);
  const entropy = counts.reduce((h, n) => (n > 0 ? h - (n / drawn) * Math.log(n / drawn) : h), 0);
  const report = {
    pictures: images.length,
    psnr: meanInterval(images.map((image, i) => psnr(image, back[i]!))),
    ssim: meanInterval(images.map((image, i) => ssim(image, back[i]!))),
    lpips: lpips && { net: lpips.net, distance: meanInterval(await lpips.distances(images, back)) },
    perplexity: Math.exp(entropy),
    usage: counts.filter((n) => n > 0).length / codes,
  };
  return { report, back };
}

type Embedder = Pick<ClipEmbedder, 'dim' | 'embedTexts'>;

/** @param prompts in full, with the prefix they were drawn with; `promptOf` is the index of each picture's. */
export async function promptReport(
  made: readonly MadePicture[],
  promptOf: readonly number[],
  prompts: readonly string[],
  {
    clip,
    features,
    bestOf,
    independent,
    carry = inTurns(),
  }: {
    readonly clip: Embedder;
    /** Embeddings of the pictures by `clip`. */
    readonly features: Float32Array;
    readonly bestOf: number;
    readonly independent?:
      | {
          readonly name: string;
          readonly clip: Embedder;
          /** Its embeddings of the pictures, and of the first candidate of each. */
          readonly features: Float32Array;
          readonly firsts: Float32Array;
        }
      | undefined;
    readonly carry?: Carry;
  },
): Promise<PromptReport> {
  const texts = await clip.embedTexts(prompts);
  return {
    ...(await carry(clipScore(features, texts, promptOf, clip.dim))),
    prompts: prompts.length,
    bestOf,
    chosen: meanInterval(made.map(({ clipScore: score }) => score)),
    unchosen: meanInterval(made.map(({ meanClipScore }) => meanClipScore)),
    independent: independent && (await independentScores(independent, promptOf, prompts)),
  };
}

async function independentScores(
  { name, clip, features, firsts }: { name: string; clip: Embedder; features: Float32Array; firsts: Float32Array },
  promptOf: readonly number[],
  prompts: readonly string[],
) {
  const texts = await clip.embedTexts(prompts);
  const scores = (rows: Float32Array) => meanInterval(ownScores(rows, texts, promptOf, clip.dim));
  return { clip: name, score: scores(features), unchosen: scores(firsts) };
}

/** Features of pictures by one network. */
export interface SetFeatures {
  /** The network's name in reports. */
  readonly name: string;
  readonly dim: number;
  /** Of generated and of real pictures, `[pictures, dim]`. */
  readonly made: Float32Array;
  readonly real: Float32Array;
  /** Of further real pictures, where there are any. */
  readonly others: Float32Array | undefined;
  /** Logits of the generated pictures, `[pictures, classes]`, of a network that names classes. */
  readonly logits?: Float32Array | undefined;
}

/**
 * Distances between generated and real pictures by their features.
 * @returns undefined for fewer than eight pictures on a side.
 */
export function* setReport({ name, dim, made, real, others, logits }: SetFeatures): Steps<SetReport | undefined> {
  const [mades, reals] = [made.length / dim, real.length / dim];
  const fewer = Math.min(mades, reals);
  if (fewer < FEWEST) return undefined;
  const further = furtherOf(others, dim);
  return {
    features: name,
    dim,
    made: mades,
    real: reals,
    ...(yield* distancesOf(made, real, dim)),
    neighbourhoods:
      fewer > NEIGHBOURS ? { ...(yield* neighbourhoods(real, made, dim, NEIGHBOURS)), k: NEIGHBOURS } : undefined,
    floor: further && { ...(yield* distancesOf(further, real, dim)), pictures: further.length / dim },
    inceptionScore: logits && inceptionScore(logits, logits.length / mades),
    caution:
      fewer <= dim
        ? `${name}: ${fewer} pictures for ${dim} features: the Fréchet distance is far too high; compare it only with others of as many pictures`
        : undefined,
  };
}

/** What `setReport` costs. */
export function setCost({ dim, made, real, others }: SetFeatures): number {
  const [mades, reals] = [made.length / dim, real.length / dim];
  if (Math.min(mades, reals) < FEWEST) return 0;
  const further = furtherOf(others, dim);
  const floor = further ? distancesCost(further.length / dim, reals, dim) : 0;
  return distancesCost(mades, reals, dim) + neighbourhoodsCost(reals, mades, dim) + floor;
}

const furtherOf = (others: Float32Array | undefined, dim: number): Float32Array | undefined =>
  others && others.length / dim >= FEWEST ? others : undefined;

function* distancesOf(made: Float32Array, real: Float32Array, dim: number): Steps<Distances> {
  return {
    frechet: yield* frechetInterval(made, real, dim),
    kernel: yield* kernelInterval(made, real, dim),
    mind: yield* mindInterval(made, real, dim),
  };
}

const distancesCost = (made: number, real: number, dim: number): number =>
  frechetCost(made, real, dim) + kernelCost(made, real, dim) + mindCost(made, real, dim);

/** Whether generated pictures lie nearer to training pictures than held-out ones do, and the nearest of them. */
export async function copyReport(
  made: Float32Array,
  heldOut: Float32Array,
  training: Float32Array,
  dim: number,
  carry?: Carry,
): Promise<CopyReport> {
  const { nearest, ...tested } = await memorisation(made, heldOut, training, dim, undefined, carry);
  const order = Array.from(nearest.distance, (distance, i) => ({ made: i, training: nearest.index[i]!, distance }));
  return { ...tested, nearest: order.sort((a, b) => a.distance - b.distance).slice(0, SHOWN_COPIES) };
}
