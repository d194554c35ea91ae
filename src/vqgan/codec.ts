/** The trained tokenizer at work: pictures to codes and back. */

import { float32, int32, type NDArray } from '../base/ndarray.ts';
import type { Engine } from '../engine/engine.ts';
import type { PlannedProgram } from '../engine/memory/footprint.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { embed } from '../nn/layers.ts';
import { adopt, literals } from '../nn/parameters.ts';
import { arranged } from '../nn/taps.ts';
import { gumbelBatch } from '../random/noise.ts';
import { gridSize, type TokenizerRecipe, type TokenizerSettings } from '../recipe/schema.ts';
import { decode, encode, type Tokenizer, tokenizerParameters } from './model.ts';
import { planesOf } from './pixels.ts';
import { codeLogits, decoderInput, latentRows } from './quantizer.ts';

export interface Codec {
  /** Codes a picture, in row-major order of the grid. */
  readonly tokens: number;
  /**
   * Any number of pictures, bytes [n, imageSize, imageSize, 3], to codes [n, tokens]: the most likely ones or, with `encode: sample`,
   * drawn, by noise that belongs to the picture's number: 0, 1, … unless told.
   */
  encode(images: Uint8Array, numbers?: ArrayLike<number>): Promise<Int32Array>;
  /** Any number of codes [n, tokens] to planes [n, 3, imageSize, imageSize], about [-1, 1] (not clamped). */
  decode(codes: Int32Array): Promise<Float32Array>;
}

/**
 * Compile encoder and decoder for `batch` pictures at a time. The parameters, under their dotted paths, become constants of
 * the programs, which lets the runtime lay them out for speed and leaves the engine's state alone. `seed` is that of drawn codes.
 * @throws UserError naming `label` if the parameters are not those of this recipe.
 */
export async function compileCodec(
  engine: Engine,
  arrays: Readonly<Record<string, NDArray>>,
  recipe: TokenizerRecipe,
  batch: number,
  label: string,
  seed = 0,
): Promise<Codec> {
  const { imageSize, tokenizer: settings } = recipe;
  const tokens = gridSize(recipe) ** 2;
  const pixels = 3 * imageSize ** 2;
  const params = arranged(adopt(tokenizerParameters(settings, imageSize), arrays, label));
  const isDrawn = settings.encode === 'sample';
  const shape = [batch, 3, imageSize, imageSize];
  const [encoding, decoding] = codecPrograms(params, recipe, batch);
  const encoder = await engine.compile(encoding.write());
  const decoder = await engine.compile(decoding.write());

  const drawNoise = (samples: readonly number[]) => {
    const key = { seed, stream: 'tokenizer/encode', step: 0 };
    return float32(gumbelBatch(key, samples, tokens * settings.codes), [batch, tokens, settings.codes]);
  };

  return {
    tokens,
    async encode(images, numbers) {
      const count = images.length / pixels;
      const codes = new Int32Array(count * tokens);
      for (let start = 0; start < count; start += batch) {
        const rows = batchFrom(start, batch, count);
        const x = float32(planesOf(images, rows, imageSize), shape);
        const out = await encoder.run({
          x,
          ...(isDrawn && { gumbel: drawNoise(rows.map((row) => numbers?.[row] ?? row)) }),
        });
        codes.set((out.codes!.data as Int32Array).subarray(0, (count - start) * tokens), start * tokens);
      }
      return codes;
    },
    async decode(codes) {
      const count = codes.length / tokens;
      const planes = new Float32Array(count * pixels);
      for (let start = 0; start < count; start += batch) {
        const rows = batchFrom(start, batch, count).flatMap((row) => [
          ...codes.subarray(row * tokens, (row + 1) * tokens),
        ]);
        const out = await decoder.run({ codes: int32(rows, [batch, tokens]) });
        planes.set((out.x!.data as Float32Array).subarray(0, (count - start) * pixels), start * pixels);
      }
      return planes;
    },
  };
}

/** The encoder and the decoder for `batch` pictures at a time, as `compileCodec` compiles them. */
export function codecPrograms(
  params: Tokenizer<NDArray<'float32'>>,
  recipe: TokenizerRecipe,
  batch: number,
): readonly [encoder: PlannedProgram, decoder: PlannedProgram] {
  const { imageSize, tokenizer: settings } = recipe;
  const tokens = gridSize(recipe) ** 2;
  const noise = settings.encode === 'sample' ? { gumbel: g.f32(batch, tokens, settings.codes) } : {};
  const encoder = () =>
    g.trace({ x: g.f32(batch, 3, imageSize, imageSize), ...noise }, ({ x, gumbel }) => ({
      codes: encodeCodes(literals(params), x, settings, gumbel),
    }));
  const decoder = () =>
    g.trace({ codes: g.i32(batch, tokens) }, ({ codes }) => ({
      x: decodeCodes(literals(params), codes, settings.normGroups),
    }));
  return [
    { name: 'encoder', write: encoder },
    { name: 'decoder', write: decoder },
  ];
}

/** Row numbers of one batch; an incomplete one is filled up with the last row, and its surplus cut off afterwards. */
const batchFrom = (start: number, batch: number, count: number): number[] =>
  Array.from({ length: batch }, (_, i) => Math.min(start + i, count - 1));

/**
 * Codes, int32 [batch, tokens], of pictures [batch, 3, size, size] in [-1, 1]: the most likely ones, or with Gumbel noise
 * [batch, tokens, codes] drawn with the probabilities of the logits.
 */
export function encodeCodes(
  p: Tokenizer<Tensor>,
  x: Tensor,
  settings: Pick<TokenizerSettings, 'normGroups' | 'normalizeLatents'>,
  gumbel?: Tensor,
): Tensor {
  const rows = latentRows(p, encode(p.encoder, x, settings.normGroups), settings.normalizeLatents);
  const logits = codeLogits(p.quantize.proj, rows);
  return g.argmax(gumbel ? g.add(logits, gumbel) : logits, -1);
}

/** Pictures [batch, 3, size, size] from int32 codes [batch, tokens]. */
export const decodeCodes = (p: Tokenizer<Tensor>, codes: Tensor, normGroups: number): Tensor =>
  decode(p.decoder, decoderInput(p, embed(p.quantize.embed, codes)), normGroups);
