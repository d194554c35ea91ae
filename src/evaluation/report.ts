/**
 * All that is measured of a model: reconstruction, prompts, the set of its pictures against real ones, and whether it
 * copies.
 */

import type { ClipEmbedder } from '../clip/embedder.ts';
import { psnr, type RgbImage } from '../data/pictures/image.ts';
import { type ClipScore, clipScore } from './clip-score.ts';
import { frechetDistance, kernelDistance } from './feature-distance.ts';
import { type Interval, meanInterval, setInterval } from './interval.ts';
import { memorisation } from './memorisation.ts';
import { type Neighbourhoods, neighbourhoods } from './neighbours.ts';
import type { Codec } from './reconstruction.ts';
import { slicedWasserstein } from './sliced-wasserstein.ts';
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
  /** By another CLIP, which has had no part in making or choosing them. */
  readonly independent: { readonly clip: string; readonly score: Interval } | undefined;
}

/** Distances of the generated set from the real one, in the features of a CLIP. */
export interface SetReport {
  readonly features: string;
  readonly dim: number;
  readonly made: number;
  readonly real: number;
  readonly frechet: Interval;
  readonly kernel: Interval;
  readonly slicedWasserstein: Interval;
  readonly neighbourhoods: (Neighbourhoods & { readonly k: number }) | undefined;
  /** What should be known before the numbers are compared with others. */
  readonly caution: string | undefined;
}

export interface CopyReport {
  readonly z: number;
  readonly p: number;
  readonly samples: { readonly made: number; readonly heldOut: number; readonly training: number };
  /** The generated pictures that lie nearest to a training picture, the nearest first. */
  readonly nearest: readonly { readonly made: number; readonly training: number; readonly distance: number }[];
}

export interface Report {
  readonly model: string;
  readonly reconstruction: ReconstructionReport;
  readonly prompts: PromptReport | undefined;
  readonly set: SetReport | undefined;
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
/** The fewest pictures a side whose distances are worth a number. */
const FEWEST = 8;
const SHOWN_COPIES = 8;

/** The distance of each of some pictures from its counterpart. */
export type PairDistances = (a: readonly RgbImage[], b: readonly RgbImage[]) => Promise<readonly number[]>;

/** Pictures through the tokenizer and back, and what was lost; the pictures come back too. */
export async function reconstructionReport(
  codec: Codec,
  images: readonly RgbImage[],
  codes: number,
  lpips?: { readonly net: string; readonly distances: PairDistances } | undefined,
): Promise<{ readonly report: ReconstructionReport; readonly back: readonly RgbImage[] }> {
  const counts = new Float64Array(codes);
  const back: RgbImage[] = [];
  for (let start = 0; start < images.length; start += BATCH) {
    const tokens = await codec.encode(images.slice(start, start + BATCH));
    for (const code of tokens) counts[code]!++;
    back.push(...(await codec.decode(tokens)));
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

type Embedder = Pick<ClipEmbedder, 'dim' | 'id' | 'embedImages' | 'embedTexts'>;

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
  }: {
    readonly clip: Embedder;
    /** Embeddings of the pictures by `clip`. */
    readonly features: Float32Array;
    readonly bestOf: number;
    readonly independent?: { readonly name: string; readonly clip: Embedder } | undefined;
  },
): Promise<PromptReport> {
  const texts = await clip.embedTexts(prompts);
  return {
    ...clipScore(features, texts, promptOf, clip.dim),
    prompts: prompts.length,
    bestOf,
    chosen: meanInterval(made.map(({ clipScore: score }) => score)),
    unchosen: meanInterval(made.map(({ meanClipScore }) => meanClipScore)),
    independent: independent && {
      clip: independent.name,
      score: meanInterval(await ownCosines(independent.clip, made, promptOf, prompts)),
    },
  };
}

async function ownCosines(
  clip: Embedder,
  made: readonly MadePicture[],
  promptOf: readonly number[],
  prompts: readonly string[],
): Promise<number[]> {
  const [images, texts] = [await clip.embedImages(made.map(({ image }) => image)), await clip.embedTexts(prompts)];
  return promptOf.map((prompt, i) => {
    let sum = 0;
    for (let k = 0; k < clip.dim; k++) sum += images[i * clip.dim + k]! * texts[prompt * clip.dim + k]!;
    return sum;
  });
}

/**
 * Distances between generated and real pictures by their features `[pictures, dim]`.
 * @returns undefined for fewer than eight pictures on a side.
 */
export function setReport(
  made: Float32Array,
  real: Float32Array,
  dim: number,
  features: string,
): SetReport | undefined {
  const [mades, reals] = [made.length / dim, real.length / dim];
  const fewer = Math.min(mades, reals);
  if (fewer < FEWEST) return undefined;
  const against = (distance: (a: Float32Array, b: Float32Array, dim: number) => number) =>
    setInterval(made, dim, (rows) => distance(rows, real, dim));
  return {
    features,
    dim,
    made: mades,
    real: reals,
    frechet: against(frechetDistance),
    kernel: against(kernelDistance),
    slicedWasserstein: against(slicedWasserstein),
    neighbourhoods: fewer > NEIGHBOURS ? { ...neighbourhoods(real, made, dim, NEIGHBOURS), k: NEIGHBOURS } : undefined,
    caution:
      fewer <= dim
        ? `${fewer} pictures for ${dim} features: the Fréchet distance is far too high; compare it only with others of as many pictures`
        : undefined,
  };
}

/** Whether generated pictures lie nearer to training pictures than held-out ones do, and the nearest of them. */
export function copyReport(made: Float32Array, heldOut: Float32Array, training: Float32Array, dim: number): CopyReport {
  const { z, p, samples, nearest } = memorisation(made, heldOut, training, dim);
  const order = Array.from(nearest.distance, (distance, i) => ({ made: i, training: nearest.index[i]!, distance }));
  return { z, p, samples, nearest: order.sort((a, b) => a.distance - b.distance).slice(0, SHOWN_COPIES) };
}
