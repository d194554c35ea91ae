/** How well the tokenizer keeps pictures: PSNR, and how much of its codebook it uses. */

import { psnr, type RgbImage } from '../data/pictures/image.ts';

export interface ReconstructionQuality {
  /** Mean peak signal-to-noise ratio over the pictures, in dB. */
  readonly psnr: number;
  /** exp of the entropy of the codes in use: how many codes it is as if all were used alike. */
  readonly perplexity: number;
  /** Share of the codes that occur at all. */
  readonly usage: number;
}

/** Something that turns pictures into codes and back. */
export interface Codec {
  encode(images: readonly RgbImage[]): Promise<Int32Array>;
  decode(codes: Int32Array): Promise<RgbImage[]>;
}

const BATCH = 64;

/** Encode and decode pictures and measure what came back. */
export async function reconstructionQuality(
  codec: Codec,
  images: readonly RgbImage[],
  codes: number,
): Promise<ReconstructionQuality> {
  const counts = new Float64Array(codes);
  let total = 0;
  for (let start = 0; start < images.length; start += BATCH) {
    const part = images.slice(start, start + BATCH);
    const tokens = await codec.encode(part);
    for (const code of tokens) counts[code]!++;
    const back = await codec.decode(tokens);
    total += part.reduce((sum, image, i) => sum + psnr(image, back[i]!), 0);
  }
  const drawn = counts.reduce((a, b) => a + b, 0);
  const entropy = counts.reduce((h, n) => (n > 0 ? h - (n / drawn) * Math.log(n / drawn) : h), 0);
  return {
    psnr: total / images.length,
    perplexity: Math.exp(entropy),
    usage: counts.filter((n) => n > 0).length / codes,
  };
}
