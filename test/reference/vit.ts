/**
 * OpenAI's CLIP with a vision transformer (Radford et al., 2103.00020) as graph: what the reference conditions and
 * ranks with. Parameters carry the official names, so that any checkpoint of this family can be read.
 */

import { float32 } from '../../src/base/ndarray.ts';
import type { Tensor } from '../../src/graph/index.ts';
import * as g from '../../src/graph/index.ts';
import { type Linear, layerNorm, linear, type Norm, normalize } from '../../src/nn/layers.ts';
import { constant, normal, type Parameter } from '../../src/nn/parameters.ts';

/** Sizes, with the official names in brackets. */
export interface VitClipConfig {
  /** Width of the shared space [embed_dim]. */
  readonly dim: number;
  readonly imageSize: number;
  readonly patchSize: number;
  readonly imageWidth: number;
  readonly imageLayers: number;
  /** Officially imageWidth / 64. */
  readonly imageHeads: number;
  readonly context: number;
  readonly vocabulary: number;
  readonly textWidth: number;
  readonly textLayers: number;
  readonly textHeads: number;
}

type ResBlock<T> = {
  /** Query, key and value in one matrix [3 · width, width]. */
  readonly attn: { readonly in_proj_weight: T; readonly in_proj_bias: T; readonly out_proj: Linear<T> };
  readonly ln_1: Norm<T>;
  readonly mlp: { readonly c_fc: Linear<T>; readonly c_proj: Linear<T> };
  readonly ln_2: Norm<T>;
};
type ResBlocks<T> = { readonly resblocks: { readonly [index: string]: ResBlock<T> } };

export type VitClip<T> = {
  readonly positional_embedding: T;
  readonly text_projection: T;
  readonly logit_scale: T;
  readonly visual: {
    readonly class_embedding: T;
    readonly positional_embedding: T;
    readonly proj: T;
    readonly conv1: { readonly weight: T };
    readonly ln_pre: Norm<T>;
    readonly transformer: ResBlocks<T>;
    readonly ln_post: Norm<T>;
  };
  readonly transformer: ResBlocks<T>;
  readonly token_embedding: { readonly weight: T };
  readonly ln_final: Norm<T>;
};

/** Slope of the "quick" GELU, x · sigmoid(1.702 x). */
const QUICK_GELU = 1.702;
/** exp of it is 1/0.07. */
const INITIAL_LOGIT_SCALE = Math.log(1 / 0.07);

const norm = (width: number): Norm<Parameter> => ({ weight: constant([width], 1), bias: constant([width], 0) });

const affine = (from: number, to: number): Linear<Parameter> => ({
  weight: normal([to, from], from ** -0.5),
  bias: constant([to], 0),
});

function blocks(width: number, layers: number): ResBlocks<Parameter> {
  const block = (): ResBlock<Parameter> => ({
    attn: {
      in_proj_weight: normal([3 * width, width], width ** -0.5),
      in_proj_bias: constant([3 * width], 0),
      out_proj: affine(width, width),
    },
    ln_1: norm(width),
    mlp: { c_fc: affine(width, 4 * width), c_proj: affine(4 * width, width) },
    ln_2: norm(width),
  });
  return { resblocks: Object.fromEntries(Array.from({ length: layers }, (_, i) => [i, block()])) };
}

export function vitClipParameters(config: VitClipConfig): VitClip<Parameter> {
  const { dim, imageSize, patchSize, imageWidth, imageLayers, context, vocabulary, textWidth, textLayers } = config;
  const patches = (imageSize / patchSize) ** 2;
  return {
    positional_embedding: normal([context, textWidth], 0.01),
    text_projection: normal([textWidth, dim], textWidth ** -0.5),
    logit_scale: constant([], INITIAL_LOGIT_SCALE),
    visual: {
      class_embedding: normal([imageWidth], imageWidth ** -0.5),
      positional_embedding: normal([patches + 1, imageWidth], imageWidth ** -0.5),
      proj: normal([imageWidth, dim], imageWidth ** -0.5),
      conv1: { weight: normal([imageWidth, 3, patchSize, patchSize], (3 * patchSize ** 2) ** -0.5) },
      ln_pre: norm(imageWidth),
      transformer: blocks(imageWidth, imageLayers),
      ln_post: norm(imageWidth),
    },
    transformer: blocks(textWidth, textLayers),
    token_embedding: { weight: normal([vocabulary, textWidth], 0.02) },
    ln_final: norm(textWidth),
  };
}

/** Patches as features, [batch, imageWidth, imageSize / patchSize, imageSize / patchSize]. */
export const embedPatches = (visual: VitClip<Tensor>['visual'], images: Tensor): Tensor =>
  g.conv2d(images, visual.conv1.weight, { stride: visual.conv1.weight.shape[2]! });

/**
 * Image features, not normalised, [batch, dim]: what the transformer makes of a class token before the patches.
 * @param images preprocessed (see `clipPixels`), [batch, 3, imageSize, imageSize].
 */
export function imageFeatures({ visual }: VitClip<Tensor>, images: Tensor, heads: number): Tensor {
  const patches = embedPatches(visual, images);
  const [batch, width] = patches.shape as readonly [number, number, number, number];
  const sequence = g.transpose(g.reshape(patches, [batch, width, -1]), [0, 2, 1]);
  const first = g.expand(g.reshape(visual.class_embedding, [1, 1, width]), [batch, 1, width]);
  const positioned = g.add(g.concat([first, sequence], 1), visual.positional_embedding);
  const out = transformer(visual.transformer, layerNorm(visual.ln_pre, positioned), heads);
  const summary = g.reshape(g.slice(out, 1, 0, 1), [batch, width]);
  return g.matmul(layerNorm(visual.ln_post, summary), visual.proj);
}

/**
 * Text features, not normalised, [batch, dim]: the position of the end token, which has the largest id, sees all
 * before.
 * @param tokens int32 [batch, context]: start, text, end, zeros.
 */
export function textFeatures(p: VitClip<Tensor>, tokens: Tensor, heads: number): Tensor {
  const [batch, context] = tokens.shape as readonly [number, number];
  const embedded = g.add(g.gather(p.token_embedding.weight, tokens), p.positional_embedding);
  const out = layerNorm(p.ln_final, transformer(p.transformer, embedded, heads, causalMask(context)));
  const end = g.argmax(g.cast(tokens, 'float32'), -1);
  const starts = g.constant({
    dtype: 'int32',
    shape: [batch],
    data: Int32Array.from({ length: batch }, (_, b) => b * context),
  });
  const summary = g.gather(g.reshape(out, [batch * context, -1]), g.add(end, starts));
  return g.matmul(summary, p.text_projection);
}

/** exp(logit_scale) · cosine of every image with every text, [images, texts]. */
export const imageLogits = (p: VitClip<Tensor>, images: Tensor, texts: Tensor): Tensor =>
  g.mul(g.exp(p.logit_scale), g.matmul(normalize(images), g.transpose(normalize(texts), [1, 0])));

/** Zero where a position may look, minus infinity (nearly) where it would see the future, [context, context]. */
function causalMask(context: number): Tensor {
  const mask = Array.from({ length: context ** 2 }, (_, i) => (i % context > Math.floor(i / context) ? -1e9 : 0));
  return g.constant(float32(mask, [context, context]));
}

function transformer({ resblocks }: ResBlocks<Tensor>, input: Tensor, heads: number, mask?: Tensor): Tensor {
  let x = input;
  for (const { attn, ln_1, mlp, ln_2 } of Object.values(resblocks)) {
    x = g.add(x, attention(attn, layerNorm(ln_1, x), heads, mask));
    x = g.add(x, linear(mlp.c_proj, g.swish(linear(mlp.c_fc, layerNorm(ln_2, x)), QUICK_GELU)));
  }
  return x;
}

/** softmax(q kᵀ/√d + mask) v over [batch, tokens, width]. */
function attention(p: ResBlock<Tensor>['attn'], x: Tensor, heads: number, mask: Tensor | undefined): Tensor {
  const [batch, tokens, width] = x.shape as readonly [number, number, number];
  const size = width / heads;
  const all = linear({ weight: p.in_proj_weight, bias: p.in_proj_bias }, x);
  const part = (i: number, order: readonly number[]) =>
    g.transpose(g.reshape(g.slice(all, 2, i * width, (i + 1) * width), [batch, tokens, heads, size]), order);
  const scores = g.matmul(g.mul(part(0, [0, 2, 1, 3]), size ** -0.5), part(1, [0, 2, 3, 1]));
  const mixed = g.matmul(g.softmax(mask ? g.add(scores, mask) : scores), part(2, [0, 2, 1, 3]));
  return linear(p.out_proj, g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [batch, tokens, width]));
}

/** Mean and standard deviation of the pixels CLIP was trained on, by channel. */
export const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073] as const;
export const CLIP_STD = [0.26862954, 0.26130258, 0.27577711] as const;

/**
 * The official training's preparation of pictures for CLIP, differentiable: bilinear to a square of `size`, pixel
 * centres aligned and without antialiasing (CLIP itself was trained on antialiased bicubic), then standardised by
 * channel.
 * @param images [batch, 3, height, width] in [0, 1].
 */
export function clipPixels(images: Tensor, size: number): Tensor {
  const [, , height, width] = images.shape as readonly [number, number, number, number];
  const wide = g.matmul(images, interpolation(width, size));
  const tall = g.matmul(g.transpose(wide, [0, 1, 3, 2]), interpolation(height, size));
  const channel = (values: readonly number[]) => g.constant(float32([...values], [1, 3, 1, 1]));
  return g.div(g.sub(g.transpose(tall, [0, 1, 3, 2]), channel(CLIP_MEAN)), channel(CLIP_STD));
}

/** Bilinear interpolation from `from` pixels to `to` as a matrix [from, to]; edges repeat. */
function interpolation(from: number, to: number): Tensor {
  const weights = new Float32Array(from * to);
  for (let i = 0; i < to; i++) {
    const at = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const low = Math.min(from - 1, Math.floor(at));
    const high = Math.min(from - 1, low + 1);
    const share = at - low;
    weights[low * to + i] = weights[low * to + i]! + 1 - share;
    weights[high * to + i] = weights[high * to + i]! + share;
  }
  return g.constant(float32(weights, [from, to]));
}
