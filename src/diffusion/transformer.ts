/**
 * The denoiser: a transformer over the grid of codes that predicts x_0; time and CLIP embedding enter by adaptive layer
 * norm.
 */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { kernelLayout } from '../nn/kernel-layout.ts';
import {
  type Attention,
  attention,
  attentionParameters,
  type Conv,
  convParameters,
  type Embedding,
  embed,
  embeddingParameters,
  type Linear,
  layerNorm,
  linear,
  linearParameters,
  type Norm,
  normParameters,
} from '../nn/layers.ts';
import { conv3x3Open, isOpenBatch } from '../nn/open-batch.ts';
import { normal, type Parameter } from '../nn/parameters.ts';
import { conv3x3Twice, conv3x3Winograd } from '../nn/winograd.ts';
import type { DiffusionSettings } from '../recipe/schema.ts';
import { embedFolded, foldedCodes, unfold } from './fold.ts';

/** Sizes that shape the network. */
export interface TransformerConfig
  extends Pick<DiffusionSettings, 'layers' | 'dim' | 'heads' | 'mlp' | 'mlpRatio' | 'timesteps'> {
  /** K; the mask token is index K. */
  readonly codes: number;
  /** Side of the grid of tokens. */
  readonly grid: number;
  /** Side of the squares of tokens that the network takes as one position; 1 by default. */
  readonly fold?: DiffusionSettings['fold'] | undefined;
  /** Width of the CLIP embedding. */
  readonly conditionDim: number;
}

type ConvMlp<T> = { readonly conv1: Conv<T>; readonly conv2: Conv<T> };
/** Its weights in parts of the channels between the two, as sampling has them (`layout.ts`). */
type PartedConv<T> = { readonly weight: { readonly [part: string]: T }; readonly bias: T };
type PartedMlp<T> = { readonly conv1: PartedConv<T>; readonly conv2: PartedConv<T> };
type FcMlp<T> = { readonly '0': Linear<T>; readonly '2': Linear<T> };
type Block<T> = {
  readonly ln1: { readonly emb: Embedding<T>; readonly linear: Linear<T> };
  readonly ln2: { readonly emb: Linear<T>; readonly linear: Linear<T> };
  readonly attn: Attention<T>;
  readonly mlp: ConvMlp<T> | PartedMlp<T> | FcMlp<T>;
};

/** The network's parameters, named as the reference names them. */
export type Transformer<T> = {
  readonly content_emb: {
    readonly emb: Embedding<T>;
    readonly height_emb: Embedding<T>;
    readonly width_emb: Embedding<T>;
  };
  readonly blocks: { readonly [index: string]: Block<T> };
  readonly to_logits: { readonly '0': Norm<T>; readonly '1': Linear<T> };
};

/** The denoiser with the learned null condition, which guidance and condition dropout share. */
export type DiffusionModel<T> = { readonly transformer: Transformer<T>; readonly empty_text_embed: T };

const STD = 0.02;
/** Slope of the activation x · sigmoid(1.702 x), the approximation of GELU that the reference calls GELU2. */
const GELU2 = 1.702;

/** The parameters of a network of these sizes, named as the reference names them; 3x3 weights as files have them. */
export function diffusionParameters(config: TransformerConfig): DiffusionModel<Parameter> {
  const { dim, codes, fold = 1 } = config;
  const grid = config.grid / fold;
  const blocks = Array.from({ length: config.layers }, (_, i) => [i, blockParameters(config)] as const);
  return {
    transformer: {
      content_emb: {
        emb: embeddingParameters(foldedCodes(codes + 1, fold), dim, STD),
        height_emb: embeddingParameters(grid, dim, STD),
        width_emb: embeddingParameters(grid, dim, STD),
      },
      blocks: Object.fromEntries(blocks),
      to_logits: { '0': normParameters(dim), '1': linearParameters(dim, foldedCodes(codes, fold), STD) },
    },
    empty_text_embed: normal([1, config.conditionDim], 1),
  };
}

function blockParameters({ dim, mlp, mlpRatio, timesteps, conditionDim, layers }: TransformerConfig): Block<Parameter> {
  const hidden = Math.round(dim * mlpRatio);
  // Branches that add to the residual stream start small in proportion to their number.
  const branch = 1 / Math.sqrt(2 * layers);
  return {
    ln1: { emb: embeddingParameters(timesteps, dim, 1), linear: linearParameters(dim, 2 * dim, STD) },
    ln2: { emb: linearParameters(conditionDim, dim), linear: linearParameters(dim, 2 * dim, STD) },
    attn: { ...attentionParameters(dim), proj: linearParameters(dim, dim, branch / Math.sqrt(dim)) },
    mlp:
      mlp === 'conv'
        ? { conv1: convParameters(dim, hidden, 3), conv2: convParameters(hidden, dim, 3, branch) }
        : { '0': linearParameters(dim, hidden), '2': linearParameters(hidden, dim, branch / Math.sqrt(hidden)) },
  };
}

/**
 * Logits of p(x_0 | x_t, t, h), [batch, tokens, codes].
 * @param tokens int32 [batch, tokens], codes and the mask K.
 * @param t int32 [batch], from 0.
 * @param condition [batch, conditionDim], of unit norm.
 */
export function denoise(p: Transformer<Tensor>, tokens: Tensor, t: Tensor, condition: Tensor, heads: number): Tensor {
  let x = embedTokens(p.content_emb, tokens);
  for (const block of Object.values(p.blocks)) x = transformerBlock(block, x, t, condition, heads);
  return unfold(linear(p.to_logits['1'], layerNorm(p.to_logits['0'], x)), tokens.shape[1]!);
}

/**
 * Token + row + column: [batch, positions, dim]. Where there are fewer rows and columns than tokens have, tokens are
 * folded (`fold.ts`).
 */
export function embedTokens(
  { emb, height_emb, width_emb }: Transformer<Tensor>['content_emb'],
  tokens: Tensor,
): Tensor {
  const [rows, dim] = height_emb.weight.shape as readonly [number, number];
  const columns = width_emb.weight.shape[0]!;
  const position = g.add(g.reshape(height_emb.weight, [rows, 1, dim]), width_emb.weight);
  const embedded = tokens.shape[1] === rows * columns ? embed(emb, tokens) : embedFolded(emb, tokens, rows);
  return g.add(embedded, g.reshape(position, [rows * columns, dim]));
}

/** x ← x + Attention(AdaLN_t(x, t)); x ← x + MLP(AdaLN_clip(x, h)). */
export function transformerBlock(
  { ln1, ln2, attn, mlp }: Block<Tensor>,
  x: Tensor,
  t: Tensor,
  condition: Tensor,
  heads: number,
): Tensor {
  const timed = modulate(x, linear(ln1.linear, g.swish(embed(ln1.emb, t))));
  const attended = g.add(x, attention(attn, timed, heads));
  const conditioned = modulate(attended, linear(ln2.linear, g.swish(linear(ln2.emb, condition))));
  return g.add(attended, 'conv1' in mlp ? convMlp(mlp, conditioned) : fcMlp(mlp, conditioned));
}

/** AdaLN: LayerNorm without affine part, times (1 + scale), plus shift; `scaleShift` is [batch, 2 · dim]. */
function modulate(x: Tensor, scaleShift: Tensor): Tensor {
  const [batch, , dim] = x.shape as readonly [number, number, number];
  const part = (start: number) => g.reshape(g.slice(scaleShift, 1, start, start + dim), [batch, 1, dim]);
  return g.add(g.mul(g.standardize(x, 1e-5), g.add(part(0), 1)), part(dim));
}

function convMlp(p: ConvMlp<Tensor> | PartedMlp<Tensor>, x: Tensor): Tensor {
  if (isParted(p)) return partedMlp(p, x);
  const { conv1, conv2 } = p;
  const hidden = g.swish(g.add(convolve(conv1.weight, x), conv1.bias), GELU2);
  return g.add(convolve(conv2.weight, hidden), conv2.bias);
}

const isParted = (p: ConvMlp<Tensor> | PartedMlp<Tensor>): p is PartedMlp<Tensor> => !('node' in p.conv1.weight);

function partedMlp({ conv1, conv2 }: PartedMlp<Tensor>, x: Tensor): Tensor {
  const activate = (hidden: Tensor, start: number) =>
    g.swish(g.add(hidden, g.slice(conv1.bias, 0, start, start + hidden.shape[2]!)), GELU2);
  return g.add(conv3x3Twice(Object.values(conv1.weight), Object.values(conv2.weight), x, activate), conv2.bias);
}

/**
 * Weights come as the engine holds them, [3, 3, in, out] (`nn/kernel-layout.ts`), or as files have them,
 * [out, in, 3, 3].
 */
function convolve(weight: Tensor, x: Tensor): Tensor {
  const taps = weight.shape[2] === 3 && weight.shape[3] === 3 ? kernelLayout(weight) : weight;
  return isOpenBatch() ? conv3x3Open(taps, x) : conv3x3Winograd(taps, x);
}

const fcMlp = (p: FcMlp<Tensor>, x: Tensor): Tensor => linear(p['2'], g.swish(linear(p['0'], x), GELU2));
