/**
 * 3x3 convolution over a square grid of tokens by Winograd's F(4x4, 3x3) (Lavin & Gray, 1509.09308): 36 multiplications
 * where 144 stand in the definition. Everything is matrix products, so the gradient follows from their rules, and the weight
 * gradient is taken in the Winograd domain.
 *
 * For a tile of 6x6 inputs d and taps g, the 4x4 outputs are Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A. Both transforms are separable, so the
 * rows and then the columns of the whole grid are multiplied by one matrix that cuts, pads and transforms all its tiles.
 */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { float32 } from '../ndarray.ts';

const B = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
];
const A = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
];
const G = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];
const [OUTPUT, TILE] = [4, 6];

/**
 * Zero-padded 3x3 convolution of `x` [batch, side·side, in] with `weight` [out, in, 3, 3]: [batch, side·side, out].
 * Equal to the definition up to about 3e-6 of the largest value.
 */
export const conv3x3Tokens = (weight: Tensor, x: Tensor): Tensor =>
  convolve(winogradWeight(g.transpose(weight, [2, 3, 1, 0])), x);

/** The same with weights in the order that suits the algorithm: `taps` [3, 3, in, out]. */
export const conv3x3Taps = (taps: Tensor, x: Tensor): Tensor => convolve(winogradWeight(taps), x);

/** G g Gᵀ of every pair of channels: `taps` [3, 3, in, out] to [36, in, out]. */
export function winogradWeight(taps: Tensor): Tensor {
  const [, , from, to] = taps.shape as readonly [number, number, number, number];
  const kronecker = matrix(
    TILE * TILE,
    9,
    (row, column) => G[Math.floor(row / TILE)]![Math.floor(column / 3)]! * G[row % TILE]![column % 3]!,
  );
  return g.reshape(g.matmul(kronecker, g.reshape(taps, [9, from * to])), [TILE * TILE, from, to]);
}

/** Convolution with transformed weights [36, in, out]. */
function convolve(weight: Tensor, x: Tensor): Tensor {
  const [batch, tokens, from] = x.shape as readonly [number, number, number];
  const to = weight.shape[2]!;
  const side = Math.sqrt(tokens);
  const tiles = Math.ceil(side / OUTPUT);
  const grown = TILE * tiles;

  const cut = matrix(grown, side, (row, column) => B[row % TILE]![column + 1 - OUTPUT * Math.floor(row / TILE)] ?? 0);
  const rows = g.matmul(cut, g.reshape(x, [batch, side, side * from]));
  const columns = g.matmul(cut, g.reshape(rows, [batch, grown, side, from]));
  // [batch, tileY, 6, tileX, 6, in] -> [36, batch · tiles, in]
  const tiled = g.transpose(g.reshape(columns, [batch, tiles, TILE, tiles, TILE, from]), [2, 4, 0, 1, 3, 5]);
  const product = g.matmul(g.reshape(tiled, [TILE * TILE, batch * tiles * tiles, from]), weight);

  const untiled = g.transpose(g.reshape(product, [TILE, TILE, batch, tiles, tiles, to]), [2, 3, 0, 4, 1, 5]);
  const join = matrix(side, grown, (row, column) =>
    Math.floor(row / OUTPUT) === Math.floor(column / TILE) ? A[row % OUTPUT]![column % TILE]! : 0,
  );
  const joined = g.matmul(join, g.reshape(untiled, [batch, grown, grown * to]));
  return g.reshape(g.matmul(join, g.reshape(joined, [batch, side, grown, to])), [batch, tokens, to]);
}

function matrix(rows: number, columns: number, at: (row: number, column: number) => number): Tensor {
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[i * columns + j] = at(i, j);
  return g.constant(float32(data, [rows, columns]));
}
