/** Pictures through the tokenizer without its codebook: what it keeps before it has codes. */

import { float32, type NDArray } from '../base/ndarray.ts';
import type { Executor } from '../engine/executor.ts';
import * as g from '../graph/index.ts';
import { toEngineLayout } from '../nn/kernel-layout.ts';
import { adopt, literals } from '../nn/parameters.ts';
import type { TokenizerRecipe } from '../recipe/schema.ts';
import { decode, encode, tokenizerParameters } from './model.ts';
import { decoderInput, latentRows } from './quantizer.ts';

/**
 * Planes `[pictures, 3, side, side]` in [-1, 1] as the decoder makes them of the encoder's latents.
 * @throws UserError naming `label` if the parameters are not those of this recipe.
 */
export async function reconstructWithoutCodebook(
  executor: Executor,
  arrays: Readonly<Record<string, NDArray>>,
  recipe: TokenizerRecipe,
  label: string,
  planes: Float32Array,
): Promise<Float32Array> {
  const { imageSize, tokenizer: settings } = recipe;
  const count = planes.length / (3 * imageSize ** 2);
  const params = toEngineLayout(adopt(tokenizerParameters(settings, imageSize), arrays, label));
  const program = g.trace({ x: g.f32(count, 3, imageSize, imageSize) }, ({ x }) => {
    const p = literals(params);
    const rows = latentRows(p, encode(p.encoder, x, settings.normGroups), settings.normalizeLatents);
    return { y: decode(p.decoder, decoderInput(p, rows), settings.normGroups) };
  });
  const executable = await executor.compile(program, { name: 'plain reconstruction' });
  const { y } = await executable.run({ x: float32(planes, [count, 3, imageSize, imageSize]) });
  return y!.data as Float32Array;
}
