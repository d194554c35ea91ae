/**
 * The two towers of the compact CLIP: a convolutional net for pictures and an n-gram net for texts. Both end in unit
 * vectors of one space. Every function keeps the batch axis leading, so that the towers can be exported with that axis
 * open.
 */

import { float32, int32 } from '../base/ndarray.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import * as nn from '../nn/layers.ts';
import { constant, normal, type Parameter } from '../nn/parameters.ts';
import type { ClipSettings } from '../recipe/schema.ts';
import { INITIAL_LOG_SCALE } from './loss.ts';

/** The image tower halves the picture down to this side, from where one linear map takes all places. */
const LAST_SIDE = 4;
/** From this side on a level refines its features with a residual block: earlier it would cost more than it gives. */
const RESIDUAL_SIDE = 8;
/** Squares of 2x2 pixels become channels: what a first convolution at full size would see, at a quarter of its cost. */
const FOLDED_CHANNELS = 12;
/** Channels normalised together. */
const GROUP = 8;

type Level<T> = {
  readonly down: nn.Conv<T>;
  readonly norm: nn.Norm<T>;
  readonly refine?: { readonly conv: nn.Conv<T>; readonly norm: nn.Norm<T> };
};

/** Parameters of the image tower; `T` is a Parameter, an NDArray or a Tensor. */
export type ImageTower<T> = {
  readonly levels: Readonly<Record<string, Level<T>>>;
  readonly projection: nn.Linear<T>;
};

/** Parameters of the text tower. */
export type TextTower<T> = {
  readonly tokens: nn.Embedding<T>;
  /** Linear maps without bias: zeros stay zeros, so that padding and unknown words add nothing. */
  readonly pairs: { readonly weight: T };
  readonly triples: { readonly weight: T };
  readonly norm: nn.Norm<T>;
  readonly hidden: nn.Linear<T>;
  readonly projection: nn.Linear<T>;
};

/** Parameters of both towers, and log 1/τ, the scale of their cosines. */
export type ClipParameters<T> = { readonly image: ImageTower<T>; readonly text: TextTower<T>; readonly logScale: T };

/** The side after each level. The picture has been halved once before the first. */
function sidesOf(imageSize: number): number[] {
  const sides: number[] = [];
  for (let side = imageSize / 4; side >= LAST_SIDE; side /= 2) sides.push(side);
  return sides;
}

function imageParameters({ dim, imageSize, imageChannels }: ClipSettings): ImageTower<Parameter> {
  const sides = sidesOf(imageSize);
  const width = (level: number) => (level < 0 ? FOLDED_CHANNELS : imageChannels * 2 ** level);
  const levels = sides.map((side, i): [string, Level<Parameter>] => {
    const down = { down: nn.convParameters(width(i - 1), width(i), 3, Math.SQRT2), norm: nn.normParameters(width(i)) };
    const refine = { conv: nn.convParameters(width(i), width(i), 3), norm: nn.normParameters(width(i)) };
    return [String(i), side <= RESIDUAL_SIDE ? { ...down, refine } : down];
  });
  return {
    levels: Object.fromEntries(levels),
    projection: nn.linearParameters(width(sides.length - 1) * LAST_SIDE ** 2, dim),
  };
}

function textParameters({ dim, textWidth, textHidden }: ClipSettings, known: number): TextTower<Parameter> {
  const ngram = (n: number) => ({ weight: normal([textHidden, n * textWidth], 1 / Math.sqrt(n * textWidth)) });
  const features = textWidth + 2 * textHidden;
  return {
    tokens: nn.embeddingParameters(known, textWidth, 0.5),
    pairs: ngram(2),
    triples: ngram(3),
    norm: nn.normParameters(features),
    hidden: nn.linearParameters(features, textHidden),
    projection: nn.linearParameters(textHidden, dim),
  };
}

/** The parameters of both towers; `known` is the number of tokens that have an embedding. */
export const clipParameters = (settings: ClipSettings, known: number): ClipParameters<Parameter> => ({
  image: imageParameters(settings),
  text: textParameters(settings, known),
  logScale: constant([], INITIAL_LOG_SCALE),
});

/** Pictures [batch, 3, side, side] in [-1, 1] to unit vectors [batch, dim]. */
export function embedImages(tower: ImageTower<Tensor>, images: Tensor): Tensor {
  const last = imageFeatures(tower, images).at(-1)!;
  return nn.normalize(nn.linear(tower.projection, g.reshape(last, [last.shape[0]!, -1])));
}

/** The tower's features at each level, finest first: each [batch, channels, height, width]. */
export function imageFeatures(tower: Pick<ImageTower<Tensor>, 'levels'>, images: Tensor): Tensor[] {
  let x = fold(images);
  return Object.values(tower.levels).map(({ down, norm, refine }) => {
    x = activate(norm, nn.conv(down, x, { stride: 2, pads: 1 }));
    if (refine) x = g.add(x, activate(refine.norm, nn.conv(refine.conv, x, { pads: 1 })));
    return x;
  });
}

/** [batch, 3, side, side] to [batch, 12, side/2, side/2]. */
function fold(images: Tensor): Tensor {
  const [batch, , side] = images.shape as readonly [number, number, number, number];
  const half = side / 2;
  const squares = g.transpose(g.reshape(images, [batch, 3, half, 2, half, 2]), [0, 1, 3, 5, 2, 4]);
  return g.reshape(squares, [batch, FOLDED_CHANNELS, half, half]);
}

const activate = (norm: nn.Norm<Tensor>, x: Tensor): Tensor => g.swish(nn.groupNorm(norm, x, x.shape[1]! / GROUP));

/**
 * Token ids [batch, length], int32, to unit vectors [batch, dim]. Single tokens, neighbours and runs of three are each
 * summed over the text, so adjacency binds a colour to its thing. `rows[id]` is a token's place in the table of
 * embeddings; one place beyond the table is a row of zeros, which adds nothing: it stands for padding and the tokens
 * that were never learned.
 */
export function embedTexts(tower: TextTower<Tensor>, ids: Tensor, rows: Int32Array): Tensor {
  const [, width] = tower.tokens.weight.shape as readonly [number, number];
  const zeros = g.constant(float32(new Float32Array(width), [1, width]));
  const table = g.concat([tower.tokens.weight, zeros], 0);
  const tokens = g.gather(table, g.gather(g.constant(int32(rows, [rows.length])), ids));
  const following = (by: number) => g.pad(g.slice(tokens, 1, by), [0, 0, 0], [0, by, 0]);
  const ngrams = ({ weight }: { readonly weight: Tensor }, run: readonly Tensor[]) =>
    g.sum(g.swish(g.matmul(g.concat(run, 2), g.transpose(weight, [1, 0]))), 1);
  const [second, third] = [following(1), following(2)];
  const summary = g.concat(
    [g.sum(tokens, 1), ngrams(tower.pairs, [tokens, second]), ngrams(tower.triples, [tokens, second, third])],
    1,
  );
  const hidden = g.swish(nn.linear(tower.hidden, nn.layerNorm(tower.norm, summary)));
  return nn.normalize(nn.linear(tower.projection, hidden));
}
