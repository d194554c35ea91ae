/** The latents of a run's pictures, for the stages of its diffusion model. */

import type { DenoiserData } from '../../diffusion/descriptor.ts';
import { ALONE, lead } from '../../mpi/ranks.ts';
import { hasStatistics } from '../../run/statistics.ts';
import type { Lineage } from '../../stage/stage.ts';
import type { RunContext } from '../context.ts';
import { Validation } from '../reports/validation.ts';
import { type EncodedPictures, encodePictures, latentsId, latentsMadeFrom } from './encoding.ts';
import type { Encodable } from './latent-cache.ts';
import { keepStatistics } from './statistics.ts';

/** The latents of one run. Opening them again closes those before. */
export class RunLatents {
  private encoded: EncodedPictures | undefined;

  constructor(
    private readonly context: RunContext,
    private readonly pictures: () => Encodable,
  ) {}

  /** @throws UserError if a model that encodes has not been trained yet. */
  identity(): Promise<string> {
    return latentsId(this.context.run, this.pictures());
  }

  madeFrom(): Promise<Lineage> {
    return latentsMadeFrom(this.context.run, this.pictures());
  }

  /** Codes and embeddings of all pictures; what the cache lacks is encoded first. */
  async open(): Promise<DenoiserData> {
    this.close();
    const { context } = this;
    this.encoded = await encodePictures(context, this.pictures());
    const { latents, id } = this.encoded;
    await lead(context.ranks ?? ALONE, async () => {
      if (!hasStatistics(context.run, id)) await keepStatistics(context, latents, id);
    });
    return { latents, id, scorer: (recipe) => new Validation(context, recipe, latents) };
  }

  close(): void {
    this.encoded?.close();
    this.encoded = undefined;
  }
}
