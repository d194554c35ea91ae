/** A tiny diffusion model, and random codes and embeddings for it to learn from. */

import { unitRows32 } from '../../src/base/rows.ts';
import { type Latents, latentsOf } from '../../src/diffusion/latents.ts';
import { integers, normals } from '../../src/random/noise.ts';
import { makeRecipe } from '../../src/recipe/recipe.ts';
import type { Recipe } from '../../src/recipe/schema.ts';

/** The preset `nano` with a diffusion model of one layer, and further `changes`. */
export const tinyDiffusionRecipe = (changes: Readonly<Record<string, string>> = {}): Recipe =>
  makeRecipe('nano', {
    'diffusion.layers': '1',
    'diffusion.dim': '16',
    'diffusion.heads': '2',
    'diffusion.batch': '4',
    'diffusion.timesteps': '5',
    'diffusion.warmupSteps': '2',
    'sampling.steps': '5',
    ...changes,
  });

interface Sizes {
  /** Pictures. */
  readonly size: number;
  /** Codes of each. */
  readonly tokens: number;
  /** The width of embeddings. */
  readonly dim: number;
}

/** What `randomLatents` makes by default. */
export const TINY_LATENTS: Sizes = { size: 10, tokens: 64, dim: 8 };

/** Random codes of the recipe's codebook, and random unit vectors as embeddings; the same in every call. */
export function randomLatents({ tokenizer }: Recipe, { size, tokens, dim }: Sizes = TINY_LATENTS): Latents {
  const codes = integers({ seed: 5, stream: 'codes', step: 0 }, 0, size * tokens, tokenizer.codes);
  const features = normals({ seed: 5, stream: 'features', step: 0 }, 0, size * dim);
  return latentsOf(Int32Array.from(codes), tokens, unitRows32(features, dim), dim);
}
