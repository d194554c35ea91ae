/** Batches of pictures over several ranks: each rank draws one of a round, and all get all of them. */

import { bytesOf } from '../base/ndarray.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { gatherTexts, type Ranks } from '../mpi/ranks.ts';
import type { Passes } from './draw.ts';

/** A batch that was drawn, decoded and compared with its prompts. */
export interface DrawnBatch {
  readonly images: readonly RgbImage[];
  /** [images, tokens]. */
  readonly tokens: Int32Array;
  readonly scores: readonly number[];
  readonly passes: Passes;
}

/**
 * The batches of a round in the order of ranks, each with what one rank has drawn; ranks without a batch add none. A
 * batch is drawn whole, so that its pictures are the same however many ranks there are.
 */
export async function gatherBatches(ranks: Ranks, own: DrawnBatch | undefined): Promise<readonly DrawnBatch[]> {
  if (ranks.size === 1) return own ? [own] : [];
  const { images = [], tokens = new Int32Array(0), ...rest } = own ?? {};
  const pixels = await ranks.gather(Buffer.concat(images.map(({ data }) => data)));
  const codes = await ranks.gather(bytesOf(tokens));
  const sizes = images.map(({ width, height }) => ({ width, height }));
  const heads = await gatherTexts(ranks, own ? JSON.stringify({ ...rest, sizes }) : '');
  return heads.flatMap((text, rank): DrawnBatch[] => {
    if (text === '') return [];
    const { sizes, ...head } = JSON.parse(text) as Head;
    let at = 0;
    const drawn = sizes.map((size) => {
      const from = at;
      at += 3 * size.width * size.height;
      return { ...size, data: pixels[rank]!.slice(from, at) };
    });
    return [{ ...head, images: drawn, tokens: new Int32Array(codes[rank]!.slice().buffer) }];
  });
}

interface Head extends Pick<DrawnBatch, 'scores' | 'passes'> {
  readonly sizes: readonly Pick<RgbImage, 'width' | 'height'>[];
}
