/** What a step of the tokenizer reports. */

import type { NDArray } from '../base/ndarray.ts';
import type { Metrics } from '../stage/stage.ts';

/** The results of a step as numbers: PSNR in dB, and how evenly and how widely codes have been used lately. */
export function metricsOf({
  loss,
  norm,
  squared,
  shares,
  perceptual,
  discriminator,
  adaptive,
}: Readonly<Record<string, NDArray>>): Metrics {
  const extra = { perceptual, discriminator, adaptiveWeight: adaptive };
  return {
    loss: loss!.data[0]!,
    gradientNorm: norm!.data[0]!,
    // Pictures span 2, from -1 to 1.
    psnr: 10 * Math.log10(4 / squared!.data[0]!),
    ...(shares && codeUsage(shares.data)),
    ...Object.fromEntries(Object.entries(extra).flatMap(([name, value]) => (value ? [[name, value.data[0]!]] : []))),
  };
}

function codeUsage(shares: NDArray['data']): { perplexity: number; codesUsed: number } {
  const used = [...shares].filter((share) => share > 0.01 / shares.length);
  const entropy = used.reduce((sum, share) => sum - share * Math.log(share), 0);
  return { perplexity: Math.exp(entropy), codesUsed: used.length };
}
