/**
 * The CLIP score that steers training: a few pictures are made with the current weights, and CLIP scores how well they
 * fit.
 */

import type { NDArray, Tree } from '../../base/ndarray.ts';
import { takeRows } from '../../base/rows.ts';
import { leaves } from '../../base/tree.ts';
import { fromPlanar } from '../../data/pictures/image.ts';
import type { Scorer } from '../../diffusion/descriptor.ts';
import { guidanceAt } from '../../diffusion/guidance.ts';
import type { Latents } from '../../diffusion/latents.ts';
import { DenoiserPool, scheduleOf, transformerConfig } from '../../diffusion/model.ts';
import { drawTokens } from '../../diffusion/samplers/index.ts';
import { ownScores } from '../../embedding/cosine.ts';
import type { ClipEmbedder } from '../../embedding/embedder.ts';
import { Engine } from '../../engine/engine.ts';
import type { Recipe } from '../../recipe/schema.ts';
import { openRunClip, openRunDecoder } from '../../run/models.ts';
import type { Decoder } from '../../vqgan/codec.ts';
import type { RunContext } from '../context.ts';

/**
 * Makes pictures and scores them. Nothing is loaded before the first score; an engine of its own leaves the trainer's
 * state alone.
 */
export class Validation implements Scorer {
  private opened: Promise<Opened> | undefined;

  constructor(
    private readonly context: RunContext,
    /** The run's recipe with the diffusion settings of the stage that trains. */
    private readonly recipe: Recipe,
    private readonly latents: Latents,
  ) {}

  /**
   * Mean cosine of `validationPictures` pictures with what they should show: the prompts in turn or, without prompts,
   * the CLIP embeddings of training pictures. The noise is always the same, so that only the weights make a difference.
   * @param weights of the denoiser.
   */
  async score(weights: Tree<NDArray>): Promise<number> {
    const { recipe, latents, context } = this;
    const { sampling, diffusion, imageSize } = recipe;
    this.opened ??= open(context, recipe, latents, weights);
    const { clip, decoder, denoisers, conditions } = await this.opened;
    await denoisers.update(leaves(weights));
    const schedule = scheduleOf(recipe);
    const batch = diffusion.validationPictures;
    const codes = await drawTokens(
      sampling,
      // A model that has never gone without its condition cannot be guided.
      await denoisers.denoiser(
        conditions,
        diffusion.nullProbability > 0 ? (t) => guidanceAt(sampling, t, schedule.steps) : 1,
      ),
      {
        schedule,
        batch,
        tokens: latents.tokens,
        steps: sampling.steps,
        truncation: sampling.truncation < 1 ? sampling.truncation : undefined,
        noise: { seed: context.run.settings.seed, samples: Array.from({ length: batch }, (_, i) => i) },
      },
    );
    const images = fromPlanar(await decoder.decode(codes), batch, imageSize, imageSize);
    const own = images.map((_, i) => i);
    const scores = ownScores(await clip.embedImages(images), conditions, own, clip.dim);
    return scores.reduce((sum, score) => sum + score, 0) / batch;
  }

  async close(): Promise<void> {
    const opened = await this.opened;
    await Promise.all([opened?.clip.close(), opened?.engine.close()]);
  }
}

interface Opened {
  readonly engine: Engine;
  readonly clip: ClipEmbedder;
  readonly decoder: Decoder;
  readonly denoisers: DenoiserPool;
  /** Unit rows, [validationPictures, dim]. */
  readonly conditions: Float32Array;
}

async function open(
  { run, engineOptions }: RunContext,
  recipe: Recipe,
  latents: Latents,
  weights: Tree<NDArray>,
): Promise<Opened> {
  const clip = await openRunClip(run, engineOptions);
  const engine = Engine.start(engineOptions);
  try {
    const { diffusion, sampling } = recipe;
    const decoder = openRunDecoder(run, engine);
    const config = transformerConfig(recipe, latents.dim);
    const denoisers = await DenoiserPool.create(engine, config, leaves(weights), sampling.nullEmbedding);
    const prompts = diffusion.validationPrompts.map((prompt) => sampling.promptPrefix + prompt);
    const count = diffusion.validationPictures;
    const rows = Array.from({ length: count }, (_, i) => i % (prompts.length || latents.size));
    const conditions =
      prompts.length > 0
        ? takeRows(await clip.embedTexts(prompts), clip.dim, rows)
        : latents.gather(rows, new Int32Array(count)).embeddings;
    return { engine, clip, decoder, denoisers, conditions };
  } catch (error) {
    await Promise.all([clip.close(), engine.close()]);
    throw error;
  }
}
