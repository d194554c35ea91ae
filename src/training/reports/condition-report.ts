/**
 * Whether a trained diffusion model follows its condition: what the codes of pictures cost under the CLIP embedding of
 * their own, and under that of another picture. A model that ignores its prompt can have a good loss all the same.
 */

import type { NDArray } from '../../base/ndarray.ts';
import { option } from '../../base/options.ts';
import { leaves } from '../../base/tree.ts';
import { packImages } from '../../data/pictures/image.ts';
import { facesSource } from '../../data/sources/faces/source.ts';
import type { ImageSource } from '../../data/sources/source.ts';
import { corrupt } from '../../diffusion/corrupt.ts';
import { DenoiserPool, scheduleOf, transformerConfig } from '../../diffusion/model.ts';
import { diffusionParameters } from '../../diffusion/transformer.ts';
import { imageViews } from '../../embedding/embedder.ts';
import { Engine } from '../../engine/engine.ts';
import { adopt } from '../../nn/parameters.ts';
import { uniforms } from '../../random/noise.ts';
import type { Recipe } from '../../recipe/schema.ts';
import { openRunClip, openRunEncoder } from '../../run/models.ts';
import type { RunContext } from '../context.ts';
import { HELD_OUT_FACES_OFFSET, type Pictures } from '../pictures/pictures.ts';

/** Where a run keeps what was measured. */
export const CONDITION_REPORT = 'condition-report.json';

/** Pictures that are measured. */
const MOST = 24;
/** Fewer held-out ones than this say too little: pictures of training are taken then, if there are enough of those. */
const FEWEST = 12;
/** Times, as shares of the way from clean codes to noise, at which little is known of a picture but its condition. */
const TIMES = [0.95, 0.7];

/** The mean −log p of a code, in nats. */
export interface ConditionCheck {
  readonly pictures: number;
  /** Whether the model has learned from these pictures. */
  readonly isTrainedOn: boolean;
  readonly right: number;
  readonly shuffled: number;
  /** Standard error of the difference, over pictures. */
  readonly error: number;
}

/**
 * Measure the diffusion model of a run, on pictures that were held out where there are some; undefined where there are
 * too few pictures of any kind.
 */
export async function checkCondition(
  { run, engineOptions, signal }: RunContext,
  { source: training, heldOut }: Pick<Pictures, 'source' | 'heldOut'>,
): Promise<ConditionCheck | undefined> {
  const { recipe, seed, data } = run.settings;
  const unseen: ImageSource =
    data === 'faces' ? facesSource({ seed, count: MOST, offset: HELD_OUT_FACES_OFFSET }) : heldOut;
  const isTrainedOn = unseen.size < FEWEST;
  const source = isTrainedOn ? training : unseen;
  if (source.size < FEWEST) return undefined;
  const count = Math.min(MOST, source.size);
  const at = Array.from({ length: count }, (_, i) => Math.floor((i * source.size) / count));
  const bytes = packImages(await Promise.all(at.map((index) => source.read(index, recipe.imageSize))));

  const clip = await openRunClip(run, engineOptions);
  const engine = Engine.start(engineOptions);
  try {
    const embeddings = await clip.embedImages(imageViews(bytes, recipe.imageSize));
    const codes = await openRunEncoder(run, engine, count).encode(bytes);
    const config = transformerConfig(recipe, clip.dim);
    const { tensors } = run.readModel(run.denoiserStage);
    const weights = leaves<NDArray>(adopt(diffusionParameters(config), tensors, run.path));
    const pool = await DenoiserPool.create(engine, config, weights, recipe.sampling.nullEmbedding);
    const schedule = scheduleOf(recipe);
    const tokens = codes.length / count;
    const costs = async (conditions: Float32Array): Promise<Float64Array> => {
      const denoise = await pool.denoiser(conditions, 1);
      const sums = new Float64Array(count);
      for (const [step, share] of TIMES.entries()) {
        signal.throwIfAborted();
        const t = Math.min(schedule.steps - 1, Math.floor(share * schedule.steps));
        const noise = at.flatMap((_, i) => [...uniforms({ seed, stream: 'condition check', step }, i, tokens)]);
        const noisy = corrupt(schedule, codes, new Int32Array(count).fill(t), noise);
        const logProbs = await denoise(noisy, t);
        for (let i = 0; i < codes.length; i++)
          sums[Math.floor(i / tokens)]! -= logProbs[i * config.codes + codes[i]!]! / (tokens * TIMES.length);
      }
      return sums;
    };
    // Every picture has the embedding of another one.
    const turned = new Float32Array(embeddings.length);
    turned.set(embeddings.subarray(clip.dim));
    turned.set(embeddings.subarray(0, clip.dim), embeddings.length - clip.dim);
    const [right, shuffled] = [await costs(embeddings), await costs(turned)];
    const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / count;
    const gains = shuffled.map((x, i) => x - right[i]!);
    const gain = mean(gains);
    const error = Math.sqrt(mean(gains.map((x) => (x - gain) ** 2)) / Math.max(1, count - 1));
    return { pictures: count, isTrainedOn, right: mean(right), shuffled: mean(shuffled), error };
  } finally {
    await Promise.all([clip.close(), engine.close()]);
  }
}

/** Differences of less than so many nats a code leave no trace in pictures. */
const NO_GAIN = 0.002;

/** A sentence where the condition is ignored, with what to change; undefined where it is followed. */
export function conditionNote(
  { pictures, isTrainedOn, right, shuffled, error }: ConditionCheck,
  { diffusion }: Recipe,
): string | undefined {
  if (shuffled - right > Math.max(NO_GAIN, 2 * error)) return undefined;
  const remedies = [
    `train it longer (${option('longer', '2x')})`,
    ...(diffusion.nullProbability > 0.2 ? ['lower diffusion.nullProbability'] : []),
    ...(diffusion.noiseScale > 0.5 ? ['lower diffusion.noiseScale'] : []),
    'or give it more pictures, or a CLIP that tells these apart',
  ];
  return `diffusion: it ignores its condition: the codes of ${pictures} ${isTrainedOn ? 'pictures' : 'pictures that it has not seen'} cost ${right.toFixed(3)} nats under their own CLIP embedding and ${shuffled.toFixed(3)} under another's, so that prompts change nothing; ${remedies.join(', ')}`;
}
