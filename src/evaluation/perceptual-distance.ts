/** LPIPS of pairs of pictures, as a metric: the learned perceptual distance of each pair. */

import { float32 } from '../base/ndarray.ts';
import { type RgbImage, toPlanar } from '../data/pictures/image.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import * as g from '../graph/index.ts';
import { lpips } from '../vqgan/lpips.ts';
import type { LpipsWeights } from '../vqgan/lpips-weights.ts';

const BATCH = 8;

/**
 * LPIPS of each pair, 0 for equal pictures. All pictures are squares of one size, of 32 pixels a side at least.
 * @throws RangeError for smaller ones.
 */
export async function perceptualDistances(
  { net, params }: Pick<LpipsWeights, 'net' | 'params'>,
  a: readonly RgbImage[],
  b: readonly RgbImage[],
  options: EngineOptions,
): Promise<number[]> {
  const side = a[0]?.width ?? 0;
  if (a.length === 0) return [];
  if (side < 32) throw new RangeError(`LPIPS takes pictures of 32 pixels, not ${side}`);
  const engine = Engine.start(options);
  try {
    await engine.load({ params });
    const batch = Math.min(BATCH, a.length);
    const empty = float32(new Float32Array(batch * 3 * side * side), [batch, 3, side, side]);
    const program = await engine.compile(
      g.trace({ state: { params }, x: empty, y: empty }, ({ state, x, y }) => ({
        distance: lpips(net, state.params, x, y),
      })),
    );
    const distances: number[] = [];
    for (let start = 0; start < a.length; start += batch) {
      // The last batch is filled up with the last pair.
      const rows = Array.from({ length: batch }, (_, i) => Math.min(start + i, a.length - 1));
      const planes = (of: readonly RgbImage[]) =>
        float32(toPlanar(rows.map((row) => of[row]!)), [batch, 3, side, side]);
      const { distance } = await program.run({ x: planes(a), y: planes(b) });
      distances.push(...Array.from(distance!.data as Float32Array).slice(0, a.length - start));
    }
    return distances;
  } finally {
    await engine.close();
  }
}
