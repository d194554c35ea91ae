/**
 * 3x3 convolution over a square grid of tokens by Winograd's F(4x4, 3x3) (Lavin & Gray, 1509.09308): 36 multiplications
 * where 144 stand in the definition. Everything is matrix products, so the gradient follows from their rules, and the
 * weight gradient is taken in the Winograd domain.
 *
 * For a tile of 6x6 inputs d and taps g, the 4x4 outputs are Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A. On the way in, the tokens of all
 * tiles are gathered and multiplied by Bᵀ ⊗ Bᵀ, and what comes out goes through Aᵀ ⊗ Aᵀ and back to its places. The
 * gradient of overlapping tiles is a sum; there the transforms are taken apart, rows and then columns, by matrices that
 * add up all tiles of the grid.
 */

import { float32, int32 } from '../base/ndarray.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { TAPS } from './kernel-layout.ts';
import { rowsAt } from './layers.ts';

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
const OUTPUT = 4;
const TILE = 6;
const POINTS = TILE * TILE;

/**
 * Zero-padded 3x3 convolution of `x` [batch, side·side, in] with `taps` [3, 3, in, out] (`kernel-layout.ts`):
 * [batch, side·side, out]. Equal to the definition up to about 3e-6 of the largest value.
 */
export function conv3x3Winograd(taps: Tensor, x: Tensor): Tensor {
  const [, , from, to] = taps.shape as readonly [number, number, number, number];
  const tiling = tilingOf(x);
  const tiles = cut(x, TILE, tiling);
  const forward = weightOf(taps, tiles);
  const y = join(g.matmul(tiles, forward), tiling);
  return g.withGradient(y, [taps, x], (gradient) => {
    const product = cut(gradient, OUTPUT, tiling);
    const toWeight = g.reshape(g.matmul(swapped(tiles), product), [POINTS, from * to]);
    // Large ones are computed anew instead of kept from the forward pass.
    const again = isSmall(taps) ? forward : weightOf(taps, product);
    return [
      g.reshape(g.matmul(literal(transposed(KRONECKER)), toWeight), taps.shape),
      addUp(g.matmul(product, swapped(again)), tiling),
    ];
  });
}

/** Matrices [36, a, b] the other way round. */
const swapped = (matrices: Tensor): Tensor => g.transpose(matrices, [0, 2, 1]);

/** Bytes of transformed weights that stay in the cache of today's processors from their making to their use. */
const CACHED = 10 * 2 ** 20;

/**
 * In how many parts `conv3x3Twice` takes the channels between its two convolutions, from `outer` channels to `hidden`
 * and back.
 */
export const hiddenParts = (outer: number, hidden: number): number =>
  Math.ceil((Float32Array.BYTES_PER_ELEMENT * POINTS * outer * hidden) / CACHED);

/**
 * Two convolutions in a row: what `conv3x3Winograd` gives twice, with the channels between the two in parts that go
 * through one after another. The transformed weights, four times as large as the taps, then stay in the cache instead
 * of going through memory, which is most of the work where there are few tiles.
 * @param first, second taps of each part: [3, 3, in, part] and [3, 3, part, out].
 * @param between what happens to the part that begins at channel `start`, [batch, side·side, part].
 */
export function conv3x3Twice(
  first: readonly Tensor[],
  second: readonly Tensor[],
  x: Tensor,
  between: (hidden: Tensor, start: number) => Tensor,
): Tensor {
  const tiling = tilingOf(x);
  const tiles = cut(x, TILE, tiling);
  let sum: Tensor | undefined;
  let start = 0;
  for (const [part, taps] of first.entries()) {
    const products = g.matmul(tiles, weightOf(taps, sum ?? tiles));
    const hidden = cut(between(join(products, tiling), start), TILE, tiling);
    const own = g.matmul(hidden, weightOf(second[part]!, hidden));
    sum = sum ? g.add(sum, own) : own;
    start += taps.shape[3]!;
  }
  return join(sum!, tiling);
}

/** G g Gᵀ of taps [3, 3, in, out], [36, in, out], once `tiles` are there. */
function weightOf(taps: Tensor, tiles: Tensor): Tensor {
  const [, , from, to] = taps.shape as readonly [number, number, number, number];
  const flat = g.reshape(taps, [TAPS, from * to]);
  return g.reshape(g.matmul(kroneckerAfter(tiles, taps), flat), [POINTS, from, to]);
}

/** A matrix on the host. */
interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly at: (row: number, column: number) => number;
}

/** M ⊗ M. */
const kronecker = (m: readonly (readonly number[])[]): Matrix => ({
  rows: m.length ** 2,
  columns: m[0]!.length ** 2,
  at: (row, column) => {
    const [height, width] = [m.length, m[0]!.length];
    return m[Math.floor(row / height)]![Math.floor(column / width)]! * m[row % height]![column % width]!;
  },
});
const KRONECKER = kronecker(G);
/** By the side of the squares that are cut. */
const TRANSFORMS = { [TILE]: kronecker(B), [OUTPUT]: transposed(kronecker(A)) } as const;

/** The tiles of square pictures, tilesPerSide² each: their outputs lie side by side, their inputs overlap by 2. */
interface Tiling {
  readonly batch: number;
  readonly side: number;
  readonly tilesPerSide: number;
  /** In all pictures. */
  readonly tiles: number;
}

function tilingOf(x: Tensor): Tiling {
  const [batch, tokens] = x.shape as readonly [number, number];
  const side = Math.sqrt(tokens);
  const tilesPerSide = Math.ceil(side / OUTPUT);
  return { batch, side, tilesPerSide, tiles: batch * tilesPerSide ** 2 };
}

function transposed({ rows, columns, at }: Matrix): Matrix {
  return { rows: columns, columns: rows, at: (i, j) => at(j, i) };
}

/**
 * Pictures [batch, side · side, channels] as transformed squares, [36, tiles, channels]: the 6x6 inputs of each tile by
 * Bᵀ ⊗ Bᵀ, or its 4x4 outputs by A ⊗ A.
 */
function cut(x: Tensor, square: typeof TILE | typeof OUTPUT, { batch, side, tilesPerSide, tiles }: Tiling): Tensor {
  const channels = x.shape[2]!;
  const [tokens, margin] = [batch * side * side, (square - OUTPUT) / 2];
  const places = new Int32Array(square * square * tiles).map((_, i) => {
    const [point, tile] = [Math.floor(i / tiles), i % tiles];
    const [picture, within] = [Math.floor(tile / tilesPerSide ** 2), tile % tilesPerSide ** 2];
    const row = OUTPUT * Math.floor(within / tilesPerSide) + Math.floor(point / square) - margin;
    const column = OUTPUT * (within % tilesPerSide) + (point % square) - margin;
    const isInside = row >= 0 && row < side && column >= 0 && column < side;
    return isInside ? (picture * side + row) * side + column : -1;
  });
  const gathered = g.reshape(rowsAt(g.reshape(x, [tokens, channels]), places), [square * square, -1]);
  return g.reshape(g.matmul(literal(TRANSFORMS[square]), gathered), [POINTS, tiles, channels]);
}

/**
 * The way out: products [36, tiles, channels] by Aᵀ ⊗ Aᵀ, and each output to its place in
 * [batch, side · side, channels].
 */
function join(products: Tensor, { batch, side, tilesPerSide, tiles }: Tiling): Tensor {
  const channels = products.shape[2]!;
  const outputs = g.matmul(literal(transposed(TRANSFORMS[OUTPUT])), g.reshape(products, [POINTS, tiles * channels]));
  const places = new Int32Array(batch * side * side).map((_, i) => {
    const [picture, row, column] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
    const tile = (picture * tilesPerSide + Math.floor(row / OUTPUT)) * tilesPerSide + Math.floor(column / OUTPUT);
    return ((row % OUTPUT) * OUTPUT + (column % OUTPUT)) * tiles + tile;
  });
  const rows = g.reshape(outputs, [OUTPUT * OUTPUT * tiles, channels]);
  return g.reshape(g.gather(rows, g.constant(int32(places, [places.length]))), [batch, side * side, channels]);
}

/**
 * The gradient of `cut`: products [36, tiles, channels] by B, rows and columns in turn, and the sum of all tiles,
 * [batch, side · side, channels].
 */
function addUp(products: Tensor, { batch, side, tilesPerSide }: Tiling): Tensor {
  const channels = products.shape[2]!;
  const grown = TILE * tilesPerSide;
  const matrix: Matrix = {
    rows: side,
    columns: grown,
    at: (row, column) => B[column % TILE]![row + 1 - OUTPUT * Math.floor(column / TILE)] ?? 0,
  };
  const split = g.reshape(products, [TILE, TILE, batch, tilesPerSide, tilesPerSide, channels]);
  const ordered = g.reshape(g.transpose(split, [2, 3, 0, 4, 1, 5]), [batch, grown, grown * channels]);
  const joined = g.reshape(g.matmul(literal(matrix), ordered), [batch, side, grown, channels]);
  return g.reshape(g.matmul(literal(matrix), joined), [batch, side * side, channels]);
}

/**
 * G ⊗ G, but not before `tiles` [36, n, channels] are there: the transformed weights of all layers could be computed at
 * once, and would all be held. Small ones may be, and constant ones are transformed when the program is compiled.
 */
const kroneckerAfter = (tiles: Tensor, taps: Tensor): Tensor =>
  isConstant(taps) || isSmall(taps) ? literal(KRONECKER) : g.after(literal(KRONECKER), tiles);

/** Up to 64 x 64 channels, 0.6 MB once transformed: keeping them costs less than the operators that put it off. */
const isSmall = ({ shape }: Tensor): boolean => shape[2]! * shape[3]! <= 64 * 64;

const isConstant = ({ node: { op, inputs } }: Tensor): boolean =>
  op === 'constant' || (op !== 'input' && inputs.every(isConstant));

function literal({ rows, columns, at }: Matrix): Tensor {
  const data = Float32Array.from({ length: rows * columns }, (_, i) => at(Math.floor(i / columns), i % columns));
  return g.constant(float32(data, [rows, columns]));
}
