/** The trained tokenizer at work: pictures to codes and back. */

import { float32, int32, type NDArray, type Tree } from '../base/ndarray.ts';
import { flatten, type Mapped } from '../base/tree.ts';
import { CompiledPrograms } from '../engine/compiled.ts';
import type { Executor } from '../engine/executor.ts';
import type { PlannedProgram } from '../engine/memory/footprint.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { toEngineLayout } from '../nn/kernel-layout.ts';
import { embed } from '../nn/layers.ts';
import { openBatch } from '../nn/open-batch.ts';
import { adopt, literals, type Parameter } from '../nn/parameters.ts';
import { gumbelBatch } from '../random/noise.ts';
import { gridSize, type TokenizerRecipe, type TokenizerSettings } from '../recipe/schema.ts';
import { decode, encode, type Tokenizer, tokenizerParameters } from './model.ts';
import { planesOf } from './pixels.ts';
import { codeLogits, decoderInput, latentRows } from './quantizer.ts';

/** Turns pictures into codes. */
export interface Encoder {
  /** Codes a picture, in row-major order of the grid. */
  readonly tokens: number;
  /**
   * Any number of pictures, bytes [n, imageSize, imageSize, 3], to codes [n, tokens]: the most likely ones or, with
   * `encode: sample`, drawn, by noise that belongs to the picture's number: by default 0, 1, …
   */
  encode(images: Uint8Array, numbers?: ArrayLike<number>): Promise<Int32Array>;
}

/** Turns codes into pictures. */
export interface Decoder {
  /** Codes a picture, in row-major order of the grid. */
  readonly tokens: number;
  /** Any number of codes [n, tokens] to planes [n, 3, imageSize, imageSize], about [-1, 1] (not clamped). */
  decode(codes: Int32Array): Promise<Float32Array>;
}

/** Both halves of a tokenizer. */
export interface Codec extends Encoder, Decoder {}

/** Pictures of 64 pixels a side that go through the tokenizer together. */
const BATCH = 16;

/** Pictures that go through the tokenizer together: as many pixels at any size of pictures. */
export const codecBatch = (imageSize: number): number => Math.max(1, Math.floor(BATCH * (64 / imageSize) ** 2));

/**
 * Sizes of batches: 1, 4, 16, … up to as many pictures as go through the tokenizer together. One picture costs no more
 * than one.
 */
export function codecSizes(imageSize: number): number[] {
  const sizes = [1];
  for (let size = 4; size <= codecBatch(imageSize); size *= 4) sizes.push(size);
  return sizes;
}

interface CodecOptions {
  /** Sizes of batches, rising; by default those of `codecSizes`. */
  readonly sizes?: readonly number[];
}

/**
 * An encoder. Each size of batch is compiled when it is first needed and kept. The parameters, under their dotted
 * paths, become constants of the programs, which lets the runtime lay them out for speed and leaves the executor's
 * state alone. `seed` is that of drawn codes. Parameters of the decoder may be missing.
 * @throws UserError naming `label` if the parameters are not those of this recipe.
 */
export function makeEncoder(
  executor: Executor,
  arrays: Readonly<Record<string, NDArray>>,
  recipe: TokenizerRecipe,
  label: string,
  { sizes = codecSizes(recipe.imageSize), seed = 0 }: CodecOptions & { readonly seed?: number } = {},
): Encoder {
  const { imageSize, tokenizer: settings } = recipe;
  const tokens = gridSize(recipe) ** 2;
  const params = half(recipe, arrays, encoderHalf, label);
  const programs = new CompiledPrograms(executor, sizes.length);

  const drawNoise = (samples: readonly number[]) => {
    const key = { seed, stream: 'tokenizer/encode', step: 0 };
    return float32(gumbelBatch(key, samples, tokens * settings.codes), [samples.length, tokens, settings.codes]);
  };

  return {
    tokens,
    async encode(images, numbers) {
      const count = images.length / (3 * imageSize ** 2);
      const codes = new Int32Array(count * tokens);
      for (const rows of batchesOf(count, sizes)) {
        const batch = rows.length;
        const x = float32(planesOf(images, rows, imageSize), [batch, 3, imageSize, imageSize]);
        const noise = settings.encode === 'sample' && { gumbel: drawNoise(rows.map((row) => numbers?.[row] ?? row)) };
        const write = () => encoderProgram(params, recipe, batch);
        const out = await programs.run(`encoder ${batch}`, write, { x, ...noise });
        put(codes, rows[0]! * tokens, out.codes!.data as Int32Array);
      }
      return codes;
    },
  };
}

/**
 * A decoder, compiled as an encoder is. Parameters of the encoder may be missing.
 * @throws UserError naming `label` if the parameters are not those of this recipe.
 */
export function makeDecoder(
  executor: Executor,
  arrays: Readonly<Record<string, NDArray>>,
  recipe: TokenizerRecipe,
  label: string,
  { sizes = codecSizes(recipe.imageSize) }: CodecOptions = {},
): Decoder {
  const tokens = gridSize(recipe) ** 2;
  const pixels = 3 * recipe.imageSize ** 2;
  const params = half(recipe, arrays, decoderHalf, label);
  const programs = new CompiledPrograms(executor, sizes.length);
  return {
    tokens,
    async decode(codes) {
      const count = codes.length / tokens;
      const planes = new Float32Array(count * pixels);
      for (const rows of batchesOf(count, sizes)) {
        const batch = rows.length;
        const given = rows.flatMap((row) => [...codes.subarray(row * tokens, (row + 1) * tokens)]);
        const write = () => decoderProgram(params, recipe, batch);
        const out = await programs.run(`decoder ${batch}`, write, { codes: int32(given, [batch, tokens]) });
        put(planes, rows[0]! * pixels, out.x!.data as Float32Array);
      }
      return planes;
    },
  };
}

/**
 * Row numbers of batches of the given sizes, each as large as what is left allows; a last one that is too small is
 * filled with its last row.
 */
function* batchesOf(count: number, sizes: readonly number[]): Iterable<number[]> {
  for (let start = 0; start < count; ) {
    const left = count - start;
    const batch = sizes.findLast((size) => size <= left) ?? sizes[0]!;
    yield Array.from({ length: batch }, (_, i) => Math.min(start + i, count - 1));
    start += batch;
  }
}

/** Writes rows into an array from `at` on, as many as it has room for. */
function put<A extends Int32Array | Float32Array>(all: A, at: number, rows: A): void {
  all.set(rows.subarray(0, all.length - at), at);
}

/** What turns pictures into codes. */
const encoderHalf = <T>({ encoder, quant_conv, quantize: { proj } }: Tokenizer<T>) => ({
  encoder,
  quant_conv,
  quantize: { proj },
});
type EncoderHalf<T> = ReturnType<typeof encoderHalf<T>>;

/** What turns codes into pictures. */
const decoderHalf = <T>({ decoder, post_quant_conv, quantize: { embed } }: Tokenizer<T>) => ({
  decoder,
  post_quant_conv,
  quantize: { embed },
});
type DecoderHalf<T> = ReturnType<typeof decoderHalf<T>>;

/** The parameters of one half, as the engine holds them. Those of the other half may be missing. */
function half<P extends Tree<Parameter>>(
  { tokenizer, imageSize }: TokenizerRecipe,
  arrays: Readonly<Record<string, NDArray>>,
  of: (all: Tokenizer<Parameter>) => P,
  label: string,
): Mapped<P, NDArray<'float32'>> {
  const all = tokenizerParameters(tokenizer, imageSize);
  const wanted = flatten<Parameter>(of(all));
  const others = Object.keys(flatten<Parameter>(all)).filter((name) => !(name in wanted));
  const own = Object.fromEntries(Object.entries(arrays).filter(([name]) => !others.includes(name)));
  return toEngineLayout(adopt(of(all), own, label));
}

/** Codes, int32 [batch, tokens], of pictures x [batch, 3, size, size]; with `encode: sample` of Gumbel noise, too. */
function encoderProgram(params: EncoderHalf<NDArray<'float32'>>, recipe: TokenizerRecipe, batch: number): g.Program {
  const { imageSize, tokenizer: settings } = recipe;
  const tokens = gridSize(recipe) ** 2;
  const noise = settings.encode === 'sample' ? { gumbel: g.f32(batch, tokens, settings.codes) } : {};
  return g.trace({ x: g.f32(batch, 3, imageSize, imageSize), ...noise }, ({ x, gumbel }) => ({
    codes: encodeCodes(literals(params), x, settings, gumbel),
  }));
}

/** Pictures x [batch, 3, size, size] of codes, int32 [batch, tokens]. */
function decoderProgram(params: DecoderHalf<NDArray<'float32'>>, recipe: TokenizerRecipe, batch: number): g.Program {
  return g.trace({ codes: g.i32(batch, gridSize(recipe) ** 2) }, ({ codes }) => ({
    x: decodeCodes(literals(params), codes, recipe.tokenizer.normGroups),
  }));
}

/**
 * Both halves for batches of any size, to be written with `openBatch`: x [batch, 3, size, size] to the most likely
 * codes, int32 [batch, tokens], and codes to x.
 * @throws UserError naming `label` if the parameters are not those of this recipe.
 */
export function openCodec(
  arrays: Readonly<Record<string, NDArray>>,
  recipe: TokenizerRecipe,
  label: string,
): { readonly encoder: g.Program; readonly decoder: g.Program } {
  const likeliest = { ...recipe, tokenizer: { ...recipe.tokenizer, encode: 'argmax' as const } };
  return openBatch(() => ({
    encoder: encoderProgram(half(recipe, arrays, encoderHalf, label), likeliest, 1),
    decoder: decoderProgram(half(recipe, arrays, decoderHalf, label), recipe, 1),
  }));
}

/** The program of an encoder for `batch` pictures, for planning. */
export const plannedEncoder = (
  params: EncoderHalf<NDArray<'float32'>>,
  recipe: TokenizerRecipe,
  batch: number,
): PlannedProgram => ({ name: 'encoder', write: () => encoderProgram(params, recipe, batch) });

/**
 * Codes, int32 [batch, tokens], of pictures [batch, 3, size, size] in [-1, 1]: the most likely ones, or with Gumbel
 * noise [batch, tokens, codes] drawn with the probabilities of the logits.
 */
export function encodeCodes(
  p: EncoderHalf<Tensor>,
  x: Tensor,
  settings: Pick<TokenizerSettings, 'normGroups' | 'normalizeLatents'>,
  gumbel?: Tensor,
): Tensor {
  const rows = latentRows(p, encode(p.encoder, x, settings.normGroups), settings.normalizeLatents);
  const logits = codeLogits(p.quantize.proj, rows);
  return g.argmax(gumbel ? g.add(logits, gumbel) : logits, -1);
}

/** Pictures [batch, 3, size, size] from int32 codes [batch, tokens]. */
export const decodeCodes = (p: DecoderHalf<Tensor>, codes: Tensor, normGroups: number): Tensor =>
  decode(p.decoder, decoderInput(p, embed(p.quantize.embed, codes)), normGroups);
