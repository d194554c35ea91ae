/** Encoder and decoder of the tokenizer. The tree of parameters carries the structure; the functions walk it. */

import type { Tensor } from '../graph/index.ts';
import { engineParameters } from '../nn/kernel-layout.ts';
import {
  type Conv,
  convParameters,
  type Embedding,
  embeddingParameters,
  type Norm,
  normParameters,
} from '../nn/layers.ts';
import type { Parameter } from '../nn/parameters.ts';
import type { TokenizerRecipe, TokenizerSettings } from '../recipe/schema.ts';
import {
  type AttentionBlock,
  activate,
  attend,
  attentionBlockParameters,
  channelsFirst,
  channelsLast,
  conv3x3,
  downsample,
  fromPatches,
  type Resample,
  type ResidualBlock,
  resampleParameters,
  residual,
  residualParameters,
  toPatches,
  upsample,
} from './blocks.ts';

/** The settings that shape the network. */
export type TokenizerShape = Pick<
  TokenizerSettings,
  | 'patchSize'
  | 'channels'
  | 'channelMultipliers'
  | 'residualBlocks'
  | 'attentionResolutions'
  | 'middleAttention'
  | 'normGroups'
  | 'latentChannels'
  | 'codes'
  | 'codeDim'
>;

/** Members are numbered '0', '1', …, as PyTorch numbers a list. */
type Numbered<P> = { readonly [index: string]: P };

/** What happens at one resolution. */
type Level<T> = {
  readonly block: Numbered<ResidualBlock<T>>;
  /** One behind each residual block, at the chosen resolutions. */
  readonly attn?: Numbered<AttentionBlock<T>>;
  readonly downsample?: Resample<T>;
  readonly upsample?: Resample<T>;
};

type Middle<T> = {
  readonly block_1: ResidualBlock<T>;
  readonly attn_1?: AttentionBlock<T>;
  readonly block_2: ResidualBlock<T>;
};

type Ends<T> = {
  readonly conv_in: Conv<T>;
  readonly mid: Middle<T>;
  readonly norm_out: Norm<T>;
  readonly conv_out: Conv<T>;
};

/** The whole tokenizer, under the names of the reference. `T` is a Parameter, an NDArray or a Tensor. */
export type Tokenizer<T> = {
  readonly encoder: Ends<T> & { readonly down: Numbered<Level<T>> };
  /** Level 0 is the finest here too: the decoder runs from the last to the first. */
  readonly decoder: Ends<T> & { readonly up: Numbered<Level<T>> };
  readonly quant_conv: Conv<T>;
  readonly post_quant_conv: Conv<T>;
  readonly quantize: { readonly proj: Conv<T>; readonly embed: Embedding<T> };
};

const numbered = <P>(count: number, make: (index: number) => P): Numbered<P> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [String(i), make(i)]));

/** The parameters of a tokenizer for pictures of `imageSize` squared, in the shapes that files have. */
export function tokenizerParameters(shape: TokenizerShape, imageSize: number): Tokenizer<Parameter> {
  const { patchSize, channels, channelMultipliers, residualBlocks, attentionResolutions, middleAttention } = shape;
  const { latentChannels, codes, codeDim } = shape;
  const pixels = 3 * patchSize ** 2;
  const widths = channelMultipliers.map((multiplier) => channels * multiplier);
  const levels = widths.length;
  const last = widths[levels - 1]!;

  const level = (index: number, from: number, blocks: number): Level<Parameter> => {
    const width = widths[index]!;
    return {
      block: numbered(blocks, (i) => residualParameters(i === 0 ? from : width, width)),
      ...(attentionResolutions.includes(imageSize / patchSize / 2 ** index) && {
        attn: numbered(blocks, () => attentionBlockParameters(width)),
      }),
    };
  };
  const middle: Middle<Parameter> = {
    block_1: residualParameters(last, last),
    ...(middleAttention && { attn_1: attentionBlockParameters(last) }),
    block_2: residualParameters(last, last),
  };
  return {
    encoder: {
      conv_in: convParameters(pixels, channels, 3),
      down: numbered(levels, (i) => ({
        ...level(i, widths[i - 1] ?? channels, residualBlocks),
        ...(i < levels - 1 && { downsample: resampleParameters(widths[i]!) }),
      })),
      mid: middle,
      norm_out: normParameters(last),
      conv_out: convParameters(last, latentChannels, 3),
    },
    decoder: {
      conv_in: convParameters(latentChannels, last, 3),
      mid: middle,
      up: numbered(levels, (i) => ({
        ...level(i, widths[i + 1] ?? last, residualBlocks + 1),
        ...(i > 0 && { upsample: resampleParameters(widths[i]!) }),
      })),
      norm_out: normParameters(widths[0]!),
      conv_out: convParameters(widths[0]!, pixels, 3),
    },
    quant_conv: convParameters(latentChannels, codeDim, 1),
    post_quant_conv: convParameters(codeDim, latentChannels, 1),
    quantize: { proj: convParameters(codeDim, codes, 1), embed: embeddingParameters(codes, codeDim, 1) },
  };
}

/** `tokenizerParameters` with the shapes that the engine holds and every program reads (`nn/kernel-layout.ts`). */
export const trainedParameters = ({ imageSize, tokenizer }: TokenizerRecipe): Tokenizer<Parameter> =>
  engineParameters(tokenizerParameters(tokenizer, imageSize));

/**
 * Pictures [batch, 3, size, size] in [-1, 1] to latents [batch, latentChannels, grid, grid]; 3x3 weights are taps first
 * (`nn/kernel-layout.ts`).
 */
export function encode(p: Tokenizer<Tensor>['encoder'], x: Tensor, groups: number): Tensor {
  const patchSize = Math.sqrt(p.conv_in.weight.shape[2]! / 3);
  let h = channelsFirst(conv3x3(p.conv_in, toPatches(x, patchSize)));
  for (const level of Object.values(p.down)) {
    h = runBlocks(level, h, groups);
    if (level.downsample) h = downsample(level.downsample, h);
  }
  return channelsFirst(runEnd(p, runMiddle(p.mid, h, groups), groups));
}

/** Latents [batch, latentChannels, grid, grid] to pictures [batch, 3, size, size], about [-1, 1] (not clamped). */
export function decode(p: Tokenizer<Tensor>['decoder'], z: Tensor, groups: number): Tensor {
  let h = runMiddle(p.mid, channelsFirst(conv3x3(p.conv_in, channelsLast(z))), groups);
  for (const level of Object.values(p.up).reverse()) {
    h = runBlocks(level, h, groups);
    if (level.upsample) h = upsample(level.upsample, h);
  }
  const patchSize = Math.sqrt(p.conv_out.weight.shape[3]! / 3);
  return fromPatches(runEnd(p, h, groups), patchSize);
}

/** The last convolution, channels last. */
const runEnd = (
  { norm_out, conv_out }: Pick<Ends<Tensor>, 'norm_out' | 'conv_out'>,
  h: Tensor,
  groups: number,
): Tensor => conv3x3(conv_out, channelsLast(activate(norm_out, h, groups)));

function runBlocks({ block, attn }: Level<Tensor>, x: Tensor, groups: number): Tensor {
  return Object.entries(block).reduce((h, [index, p]) => {
    const next = residual(p, h, groups);
    const attention = attn?.[index];
    return attention ? attend(attention, next, groups) : next;
  }, x);
}

function runMiddle({ block_1, attn_1, block_2 }: Middle<Tensor>, x: Tensor, groups: number): Tensor {
  const h = residual(block_1, x, groups);
  return residual(block_2, attn_1 ? attend(attn_1, h, groups) : h, groups);
}
