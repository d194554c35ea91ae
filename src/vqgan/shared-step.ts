/**
 * A training step of the tokenizer over several ranks: each computes its micro-batches, and what is a sum over the
 * batch (gradients, shares of codes, both sides' gradients at the last layer) is added up over the ranks. So are,
 * within the discriminator's program, the statistics of its batch normalisations, which are those of the whole batch.
 */

import { scalar } from '../base/ndarray.ts';
import type { Engine, Executable } from '../engine/engine.ts';
import type { Ranks } from '../mpi/ranks.ts';
import { join, split } from '../optim/micro-batches.ts';
import type { TokenizerSettings } from '../recipe/schema.ts';
import { accumulate } from '../stage/accumulate.ts';
import { gatherResults, gradientReduction, Reduction } from '../stage/data-parallel.ts';
import { adaptiveWeightOf } from './adversarial.ts';
import { LAST_LAYER, SHARES } from './micro-programs.ts';
import type { Variant } from './schedule.ts';
import { type Arrays, imagesOf, type TokenizerStep, whole } from './step.ts';

/** What a step over several ranks works with. */
export interface SharedStep {
  readonly variant: Variant;
  /** Micro-batches of all ranks together. */
  readonly microBatches: number;
  /** What `stepPrograms` lists, compiled. */
  readonly programs: readonly Executable[];
  readonly engine: Engine;
  readonly settings: TokenizerSettings;
  readonly ranks: Ranks;
}

/** The step out of `stepPrograms` for several ranks. It is fed the samples of this rank; results are of the batch. */
export function sharedStepOf({ variant, microBatches, programs, engine, settings, ranks }: SharedStep): TokenizerStep {
  const isActive = variant.discriminator === 'active';
  const hasCodes = variant.phase !== 'autoencoder';
  const [image, activeDiscriminator, balance] = isActive ? programs : [];
  const [gradients, ...rest] = programs.slice(isActive ? 3 : 0);
  const warmingUp = variant.discriminator === 'warmup' ? rest.shift() : undefined;
  const usage = hasCodes ? rest.shift() : undefined;
  const [update] = rest;
  const own = microBatches / ranks.size;
  const sums = gradientReduction(engine, ranks);
  const shares = new Reduction(engine, ranks, [SHARES]);
  const sides = (['likelihood', 'adversarial'] as const).map(
    (side) => new Reduction(engine, ranks, [`${LAST_LAYER}.${side}`]),
  );

  return async ({ lr, ...batch }) => {
    const feeds = split(batch, own);
    let reported: Arrays = {};
    let imageGradients: Arrays[] = [];
    if (image && activeDiscriminator && balance) {
      const images = await imagesOf(image, feeds);
      const { toImage, ...more } = await activeDiscriminator.run({ x: batch.x!, image: join(images), lr: lr! });
      imageGradients = split({ toImage: toImage! }, own);
      await accumulate(balance, feeds, (i) => imageGradients[i]!);
      const [likelihood, adversarial] = [await sides[0]!.run(), await sides[1]!.run()];
      const adaptive = adaptiveWeightOf(likelihood, adversarial, settings.discriminatorWeight);
      reported = { ...more, adaptive: scalar(adaptive) };
    }
    const weight = reported.adaptive && { adaptive: reported.adaptive };
    // The histories of codes wait for the shares of all ranks.
    const last = scalar(0);
    const made = await accumulate(gradients!, feeds, (i) => ({ last, ...imageGradients[i], ...weight }));
    if (warmingUp) {
      const images = made.map((result) => result.image!);
      reported = await warmingUp.run({ x: batch.x!, image: join(images), lr: lr! });
    }
    const results = await gatherResults(
      ranks,
      made.map(({ image: _, shares: __, ...numbers }) => numbers),
    );
    // What a rank reports itself is the norm of what it has added up alone.
    const norm = scalar(await sums.run());
    if (usage) {
      await shares.run();
      reported = { ...reported, ...(await usage.run({})) };
    }
    await update!.run({ lr: lr! });
    return whole(results, { ...reported, norm });
  };
}
