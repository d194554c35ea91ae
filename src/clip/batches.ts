/**
 * What one step of CLIP's training sees: pictures, and captions as token ids, drawn anew from the pairs as a pure
 * function of the step.
 */

import { float32, int32, type NDArray } from '../base/ndarray.ts';
import { type Bpe, END } from '../embedding/compact/bpe.ts';
import { integers, permutation } from '../random/noise.ts';

/**
 * Pictures with captions. Only the compact CLIP may learn from these: keep them apart from the generator's pictures.
 */
export interface CaptionedPictures {
  /** [size, side, side, 3] */
  readonly images: Uint8Array;
  readonly size: number;
  readonly side: number;
  /** Caption number `wording` of a picture: another number, other words. */
  caption(index: number, wording: number): string;
}

/** Pictures with several captions of each. */
export interface ClipBatch {
  /** [batch, 3, side, side] in [-1, 1] */
  readonly images: NDArray<'float32'>;
  /** [captions, batch, length]: several captions of every picture */
  readonly ids: NDArray<'int32'>;
}

/** What batches are drawn from, and their sizes. */
export interface BatchOptions {
  readonly pairs: CaptionedPictures;
  /** Pictures 0 … count − 1 are learned from. */
  readonly count: number;
  readonly bpe: Bpe;
  /** Tokens of a caption; longer captions lose their end. */
  readonly length: number;
  readonly batch: number;
  /** Captions of each picture. */
  readonly captions: number;
  /** Pictures are moved by up to this many pixels each way. */
  readonly shift: number;
  readonly seed: number;
}

/**
 * Wordings of a picture before the first returns: enough not to be memorised, few enough to be composed only once.
 */
const WORDINGS = 12;

/** Draws the batches of a run. Token ids are kept, so that each caption is encoded once. */
export class ClipBatches {
  /** By wording, then by picture. */
  private readonly ids = Array.from({ length: WORDINGS }, () => new Map<number, Int32Array>());

  constructor(private readonly options: BatchOptions) {}

  /**
   * Step `step`: every epoch visits the pictures in a new order, moved and worded anew. What is left over at its end is
   * skipped.
   */
  draw(step: number): ClipBatch {
    const { pairs, count, length, batch, captions, shift, seed } = this.options;
    const perEpoch = Math.floor(count / batch);
    const epoch = Math.floor(step / perEpoch);
    const at = (step % perEpoch) * batch;
    const rows = permutation(seed, 'clip/order', epoch, count).subarray(at, at + batch);
    const moves = integers({ seed, stream: 'clip/shift', step }, 0, 2 * batch, 2 * shift + 1).map((by) => by - shift);
    const ids = new Int32Array(captions * batch * length);
    for (let k = 0; k < captions; k++) {
      const wording = (epoch * captions + k) % WORDINGS;
      for (const [i, row] of rows.entries()) ids.set(this.caption(row, wording), (k * batch + i) * length);
    }
    return { images: planes(pairs, rows, moves), ids: int32(ids, [captions, batch, length]) };
  }

  private caption(row: number, wording: number): Int32Array {
    const { pairs, bpe, length } = this.options;
    const known = this.ids[wording]!;
    const ids = known.get(row) ?? tokenIds([pairs.caption(row, wording)], bpe, length).data;
    known.set(row, ids);
    return ids;
  }
}

/** Captions as rows of `length` ids, padded; [captions, length]. A caption that is longer keeps its beginning. */
export function tokenIds(captions: readonly string[], bpe: Bpe, length: number): NDArray<'int32'> {
  const ids = new Int32Array(captions.length * length).fill(bpe.pad);
  captions.forEach((caption, row) => {
    const all = bpe.encode(caption);
    const kept = all.length <= length ? all : [...all.slice(0, length - 1), bpe.id(END)];
    ids.set(kept, row * length);
  });
  return int32(ids, [captions.length, length]);
}

/**
 * Pictures as planes [rows, 3, side, side] in [-1, 1], each moved right by `moves[2i]` and down by `moves[2i + 1]`
 * pixels; its border is repeated where it left.
 */
export function planes(
  { images, side }: CaptionedPictures,
  rows: ArrayLike<number>,
  moves?: ArrayLike<number>,
): NDArray<'float32'> {
  const plane = side * side;
  const out = new Float32Array(rows.length * 3 * plane);
  const clamp = (i: number) => Math.min(side - 1, Math.max(0, i));
  for (let n = 0; n < rows.length; n++) {
    const columns = Int32Array.from({ length: side }, (_, x) => 3 * clamp(x - (moves?.[2 * n] ?? 0)));
    for (let y = 0; y < side; y++) {
      const from = 3 * side * (rows[n]! * side + clamp(y - (moves?.[2 * n + 1] ?? 0)));
      const to = 3 * n * plane + y * side;
      for (let x = 0; x < side; x++) {
        const pixel = from + columns[x]!;
        out[to + x] = images[pixel]! / 127.5 - 1;
        out[to + plane + x] = images[pixel + 1]! / 127.5 - 1;
        out[to + 2 * plane + x] = images[pixel + 2]! / 127.5 - 1;
      }
    }
  }
  return float32(out, [rows.length, 3, side, side]);
}
