/** The order in which training visits samples: every epoch its own shuffle, and steps that run on across epochs. */

import { permutation } from './noise.ts';

/** The order of `size` samples under a seed and a stream. */
export class Shuffle {
  private epoch = -1;
  private order = new Int32Array(0);

  constructor(
    private readonly seed: number,
    private readonly stream: string,
    private readonly size: number,
  ) {}

  /** Sample indices of one step, [batch]: a pure function of (seed, stream, step). */
  batch(step: number, batch: number): Int32Array {
    return Int32Array.from({ length: batch }, (_, i) => this.at(step * batch + i));
  }

  /** The epoch of each sample of a step, [batch]. */
  epochs(step: number, batch: number): Int32Array {
    return Int32Array.from({ length: batch }, (_, i) => Math.floor((step * batch + i) / this.size));
  }

  private at(position: number): number {
    const epoch = Math.floor(position / this.size);
    if (epoch !== this.epoch) {
      this.order = Int32Array.from(permutation(this.seed, this.stream, epoch, this.size));
      this.epoch = epoch;
    }
    return this.order[position % this.size]!;
  }
}
