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
const POINTS = TILE * TILE;
const TAPS = 9;

/**
 * Zero-padded 3x3 convolution of `x` [batch, side·side, in] with `weight` [out, in, 3, 3]: [batch, side·side, out].
 * Equal to the definition up to about 3e-6 of the largest value.
 */
export const conv3x3Tokens = (weight: Tensor, x: Tensor): Tensor => conv3x3Taps(g.transpose(weight, [2, 3, 1, 0]), x);

/** The same with weights in the order that suits the algorithm: `taps` [3, 3, in, out]. */
export function conv3x3Taps(taps: Tensor, x: Tensor): Tensor {
  const [, tokens, from] = x.shape as readonly [number, number, number];
  const to = taps.shape[3]!;
  const side = Math.sqrt(tokens);
  const [cut, join] = [cutting(side), joining(side)];
  const tiles = tile(x, cut);
  const y = untile(g.matmul(tiles, transformed(taps, kroneckerAfter(tiles, taps))), x.shape[0]!, join);
  return g.withGradient(y, [taps, x], (gradient) => {
    const product = tile(gradient, transposed(join));
    const toWeight = g.matmul(g.transpose(tiles, [0, 2, 1]), product);
    // Four times as large as the taps, the transformed weight is computed anew instead of kept from the forward pass.
    const again = transformed(taps, kroneckerAfter(product, taps));
    return [
      g.reshape(g.matmul(literal(transposed(KRONECKER)), g.reshape(toWeight, [POINTS, from * to])), taps.shape),
      untile(g.matmul(product, g.transpose(again, [0, 2, 1])), x.shape[0]!, transposed(cut)),
    ];
  });
}

/** A matrix on the host. */
interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly at: (row: number, column: number) => number;
}

/** Cuts a line of `side` pixels, zeros around it, into tiles of 6 and multiplies each by Bᵀ: [6 · tiles, side]. */
const cutting = (side: number): Matrix => ({
  rows: TILE * Math.ceil(side / OUTPUT),
  columns: side,
  at: (row, column) => B[row % TILE]![column + 1 - OUTPUT * Math.floor(row / TILE)] ?? 0,
});

/** Multiplies each tile of 6 by Aᵀ and joins what comes out to a line: [side, 6 · tiles]. */
const joining = (side: number): Matrix => ({
  rows: side,
  columns: TILE * Math.ceil(side / OUTPUT),
  at: (row, column) => (Math.floor(row / OUTPUT) === Math.floor(column / TILE) ? A[row % OUTPUT]![column % TILE]! : 0),
});

/** G ⊗ G. */
const KRONECKER: Matrix = {
  rows: POINTS,
  columns: TAPS,
  at: (row, column) => G[Math.floor(row / TILE)]![Math.floor(column / 3)]! * G[row % TILE]![column % 3]!,
};

const transposed = ({ rows, columns, at }: Matrix): Matrix => ({
  rows: columns,
  columns: rows,
  at: (i, j) => at(j, i),
});

/** The rows and columns of pictures [batch, side · side, channels] through a matrix [6 · tiles, side], as [36, batch · tiles², channels]. */
function tile(x: Tensor, matrix: Matrix): Tensor {
  const [batch, tokens, channels] = x.shape as readonly [number, number, number];
  const side = Math.sqrt(tokens);
  const tiles = matrix.rows / TILE;
  const rows = g.matmul(literal(matrix), g.reshape(x, [batch, side, side * channels]));
  const all = g.matmul(literal(matrix), g.reshape(rows, [batch, matrix.rows, side, channels]));
  const split = g.transpose(g.reshape(all, [batch, tiles, TILE, tiles, TILE, channels]), [2, 4, 0, 1, 3, 5]);
  return g.reshape(split, [POINTS, batch * tiles * tiles, channels]);
}

/** The way back: [36, batch · tiles², channels] through a matrix [side, 6 · tiles] to [batch, side · side, channels]. */
function untile(t: Tensor, batch: number, matrix: Matrix): Tensor {
  const channels = t.shape[2]!;
  const [side, grown] = [matrix.rows, matrix.columns];
  const tiles = grown / TILE;
  const split = g.transpose(g.reshape(t, [TILE, TILE, batch, tiles, tiles, channels]), [2, 3, 0, 4, 1, 5]);
  const joined = g.matmul(literal(matrix), g.reshape(split, [batch, grown, grown * channels]));
  const all = g.matmul(literal(matrix), g.reshape(joined, [batch, side, grown, channels]));
  return g.reshape(all, [batch, side * side, channels]);
}

/**
 * G ⊗ G, but not before `tiles` [36, n, channels] are there: a zero made of them is added. The runtime would compute the transformed
 * weights of all layers at once and hold them. Constant weights are transformed when the program is compiled.
 */
function kroneckerAfter(tiles: Tensor, taps: Tensor): Tensor {
  if (isConstant(taps)) return literal(KRONECKER);
  const corner = g.slice(g.slice(tiles, 1, 0, 1), 2, 0, 1);
  return g.add(literal(KRONECKER), g.mul(g.reshape(corner, [POINTS, 1]), 0));
}

const isConstant = ({ node: { op, inputs } }: Tensor): boolean =>
  op === 'constant' || (op !== 'input' && inputs.every(isConstant));

/** G g Gᵀ of every pair of channels: `taps` [3, 3, in, out] to [36, in, out], by G ⊗ G. */
function transformed(taps: Tensor, kronecker: Tensor): Tensor {
  const [, , from, to] = taps.shape as readonly [number, number, number, number];
  return g.reshape(g.matmul(kronecker, g.reshape(taps, [TAPS, from * to])), [POINTS, from, to]);
}

function literal({ rows, columns, at }: Matrix): Tensor {
  const data = Float32Array.from({ length: rows * columns }, (_, i) => at(Math.floor(i / columns), i % columns));
  return g.constant(float32(data, [rows, columns]));
}
