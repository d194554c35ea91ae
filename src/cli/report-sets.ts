/** What `clipvq evaluate --report` looks at: generated pictures, real ones, and their features by each network. */

import { joined } from '../base/ndarray.ts';
import { type Carry, inTurns } from '../base/steps.ts';
import type { Crop } from '../data/pictures/crop.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import type { ImageSource } from '../data/sources/source.ts';
import type { FeatureNetwork } from '../evaluation/networks/network.ts';
import type { SetFeatures } from '../evaluation/report.ts';
import type { GeneratedImage, Generator } from '../generation/generator.ts';
import { permutation } from '../random/noise.ts';
import type { ProgressDisplay } from './progress.ts';

/** Pictures whose features are computed together. */
const BATCH = 64;

/** Real pictures, in an order that has nothing to do with their names. */
export class RealPictures {
  private readonly order: Int32Array;

  constructor(
    private readonly source: ImageSource,
    private readonly side: number,
    private readonly crop: Crop | undefined,
  ) {
    this.order = permutation(0, 'evaluate/real', 0, source.size);
  }

  get size(): number {
    return this.source.size;
  }

  async read(from: number, to: number, signal: AbortSignal): Promise<RgbImage[]> {
    const images: RgbImage[] = [];
    for (const index of this.order.subarray(from, to)) {
      signal.throwIfAborted();
      images.push(await this.source.read(index, this.side, this.crop));
    }
    return images;
  }
}

/** Pictures of one set as every network sees them, in the order of the networks. */
export type Features = readonly { readonly rows: Float32Array; readonly logits: Float32Array | undefined }[];

/** Features of `count` pictures, read in batches: no more than one batch of them is held. */
export async function featuresOf(
  networks: readonly FeatureNetwork[],
  count: number,
  read: (from: number, to: number) => Promise<readonly RgbImage[]> | readonly RgbImage[],
  onProgress?: (done: number, total: number) => void,
): Promise<Features> {
  const parts: { rows: Float32Array[]; logits: Float32Array[] }[] = networks.map(() => ({ rows: [], logits: [] }));
  for (let from = 0; from < count; from += BATCH) {
    const to = Math.min(count, from + BATCH);
    const images = await read(from, to);
    for (const [i, network] of networks.entries()) {
      const { rows, logits } = await network.features(images);
      parts[i]!.rows.push(rows);
      if (logits) parts[i]!.logits.push(logits);
    }
    onProgress?.(to, count);
  }
  return parts.map(({ rows, logits }) => ({
    rows: joined(rows),
    logits: logits.length > 0 ? joined(logits) : undefined,
  }));
}

/** The features that sets of every network are compared by. */
export const setFeatures = (
  networks: readonly FeatureNetwork[],
  { made, real, others }: { readonly made: Features; readonly real: Features; readonly others: Features | undefined },
): SetFeatures[] =>
  networks.map(({ name, dim }, i) => {
    const { rows, logits } = made[i]!;
    return { name, dim, made: rows, logits, real: real[i]!.rows, others: others?.[i]?.rows };
  });

/** A way to carry computations through that cost `total` together: it shows how far they are, and ends by a signal. */
export function shown(display: ProgressDisplay, what: string, total: number, signal: AbortSignal): Carry {
  const onProgress = display.count(`${what}, %`);
  let done = 0;
  return inTurns((cost) => {
    signal.throwIfAborted();
    done += cost;
    // Costs are estimates: the last percent is for what they lack.
    onProgress(Math.min(99, Math.floor((100 * done) / total)), 100);
  });
}

/** The best candidate of each picture, with the mean of their scores; and the first, which is not a choice. */
export interface Drawn {
  readonly best: readonly GeneratedImage[];
  readonly firsts: readonly RgbImage[];
}

/** Draw `count` pictures a prompt, each the best of `bestOf` candidates by the CLIP that conditions. */
export async function drawCandidates(
  generator: Generator,
  prompts: readonly string[],
  { count, bestOf, seed, signal }: { count: number; bestOf: number; seed: number; signal: AbortSignal },
  display: ProgressDisplay,
): Promise<Drawn> {
  const best: GeneratedImage[] = [];
  const firsts: RgbImage[] = [];
  const onProgress = display.count('sampling');
  let candidates: GeneratedImage[] = [];
  for await (const picture of generator.pictures(prompts, { count: count * bestOf, seed, signal, onProgress })) {
    candidates.push(picture);
    if (candidates.length < bestOf) continue;
    const chosen = candidates.reduce((a, b) => (b.clipScore > a.clipScore ? b : a));
    best.push({ ...chosen, meanClipScore: candidates.reduce((sum, { clipScore }) => sum + clipScore, 0) / bestOf });
    firsts.push(candidates[0]!.image);
    candidates = [];
  }
  return { best, firsts };
}
