/** The time before and between the stages: pictures are inspected, decoded, encoded and embedded once each. */

import { countFlop } from '../graph/index.ts';
import type { Recipe } from '../recipe/schema.ts';
import { stages } from '../training/stages.ts';

/** Pictures that a run will read. */
export interface PicturesToRead {
  readonly count: number;
  /** Of one of them; 1 by default. */
  readonly megapixels?: number | undefined;
}

export interface Preparation {
  readonly pictures: number;
  /** Inspecting and decoding them. */
  readonly readingSeconds: number;
  /** Codes and CLIP embeddings of all of them and their views. */
  readonly embeddingSeconds: number;
}

/**
 * Seconds on the reference machine for an inspection and a decoding: of any picture, and of each megapixel. Rough:
 * formats differ severalfold.
 */
const READING = { picture: 0.004, megapixel: 0.025 };
/**
 * Seconds there for a picture through the image tower of ViT-B/32 (8.7 GFLOP, at the rate of the CLIP stage), and
 * through a compact one.
 */
const EMBEDDING = { pretrained: 0.15, compact: 0.003 };
/**
 * An encoder's share of a training step of the tokenizer: a forward pass of half of the network, of three passes of all
 * of it.
 */
const ENCODING = 1 / 6;

/** What it takes to make pictures ready for the diffusion model on a machine of this speed. */
export function preparationOf(
  recipe: Recipe,
  { count, megapixels = 1 }: PicturesToRead,
  { speed, isPretrained }: { readonly speed: number; readonly isPretrained: boolean },
): Preparation {
  const { program, batch, referenceGflops } = stages.tokenizer.cost(recipe, 1);
  const encoding = (ENCODING * countFlop(program)) / 1e9 / referenceGflops / batch;
  const embedding = isPretrained ? EMBEDDING.pretrained : EMBEDDING.compact;
  return {
    pictures: count,
    readingSeconds: (count * (READING.picture + READING.megapixel * megapixels)) / speed,
    embeddingSeconds: (count * recipe.pictures.views * (encoding + embedding)) / speed,
  };
}
