/**
 * Local steps (DiLoCo; Douillard et al., 2311.08105): each rank makes some steps for itself, on its share of every
 * batch, and then the ranks meet. What their weights have moved by, on average, is the gradient of an outer step, with
 * Nesterov's momentum; what else has learned (Adam's moments, the average of the weights) becomes the mean of all
 * ranks. So after a meeting all ranks hold the same state, and any number of ranks can go on from it.
 */

import { float32, type NDArray, zeros } from '../base/ndarray.ts';
import type { Engine } from '../engine/engine.ts';
import type { Ranks } from '../mpi/ranks.ts';
import { bucketsOf } from './data-parallel.ts';

/** How often ranks meet, and how. */
export interface LocalSteps {
  /** From one meeting to the next. */
  readonly steps: number;
  /** Learning rate of the outer step: 1 without momentum takes over the mean of the weights. */
  readonly rate: number;
  readonly momentum: number;
}

/** The step at which ranks meet next, after `step` steps of `end`: at multiples of `steps`, and at the end. */
export const nextMeeting = ({ steps }: LocalSteps, step: number, end: number): number =>
  Math.min(end, (Math.floor(step / steps) + 1) * steps);

const WEIGHTS = 'params';
/** What becomes the mean of all ranks. */
const AVERAGED: readonly string[] = ['adam', 'ema'];
/** What checkpoints call the momentum of each weight. */
const MOMENTUM = 'outer.momentum.';

/** The meetings of one stage on one rank. */
export class OuterStep {
  /** The weights with which the ranks have parted, by bucket; undefined while they are together. */
  private start: readonly Float32Array[] | undefined;
  private weights: readonly (readonly string[])[] = [];
  private momentum: Readonly<Record<string, NDArray<'float32'>>> = {};

  constructor(
    private readonly engine: Engine,
    private readonly ranks: Ranks,
    private readonly settings: LocalSteps,
  ) {}

  /** To be called before a local step. */
  async part(): Promise<void> {
    if (this.start) return;
    this.weights = await bucketsOf(this.engine, [WEIGHTS]);
    const start: Float32Array[] = [];
    for (const names of this.weights) start.push(await this.engine.pack(names));
    this.start = start;
  }

  /** The outer step: d = start − mean of the weights, m ← μ m + d, weights = start − η (d + μ m). */
  async meet(): Promise<void> {
    const { engine, ranks, start } = this;
    if (!start) return;
    await ranks.barrier();
    const specs = await engine.describe(WEIGHTS);
    const momentum: Record<string, NDArray<'float32'>> = {};
    for (const [i, names] of this.weights.entries()) {
      const moved = await engine.pack(names);
      const before = start[i]!;
      for (let k = 0; k < moved.length; k++) moved[k] = before[k]! - moved[k]!;
      await ranks.sumGradients(moved);
      let at = 0;
      for (const name of names) {
        const kept = this.momentum[name] ?? zeros(specs[name]!.shape);
        momentum[name] = kept;
        this.step(before.subarray(at), moved.subarray(at), kept.data);
        at += kept.data.length;
      }
      await engine.unpack(names, before);
    }
    for (const names of await bucketsOf(engine, AVERAGED)) {
      const data = await engine.pack(names);
      await ranks.sum(data);
      for (let k = 0; k < data.length; k++) data[k] = data[k]! / ranks.size;
      await engine.unpack(names, data);
    }
    this.momentum = momentum;
    this.start = undefined;
  }

  /** Of one weight: `weights` become the new ones, `momentum` the new momentum; `moved` is a sum over ranks. */
  private step(weights: Float32Array, moved: Float32Array, momentum: Float32Array): void {
    const { rate, momentum: factor } = this.settings;
    const { size } = this.ranks;
    for (let k = 0; k < momentum.length; k++) {
      const d = moved[k]! / size;
      momentum[k] = factor * momentum[k]! + d;
      weights[k] = weights[k]! - rate * (d + factor * momentum[k]!);
    }
  }

  /** The beginning of a stage, or of an attempt: what ranks have done since they parted is forgotten. */
  reset(): void {
    this.start = undefined;
    this.momentum = {};
  }

  /** What checkpoints hold beside the state; the weights with which ranks part are those of the state. */
  save(): Readonly<Record<string, NDArray>> {
    return Object.fromEntries(Object.entries(this.momentum).map(([name, array]) => [MOMENTUM + name, array]));
  }

  /** Take up what `save` gave; what has trained without local steps has no momentum yet. */
  restore(host: Readonly<Record<string, NDArray>>): void {
    this.reset();
    this.momentum = Object.fromEntries(
      Object.entries(host).flatMap(([name, { data, shape }]) =>
        name.startsWith(MOMENTUM) ? [[name.slice(MOMENTUM.length), float32(Float32Array.from(data), shape)]] : [],
      ),
    );
  }
}

/** Numbers of every rank, equally many on all, as their means over the ranks. */
export async function meansOver(ranks: Ranks, own: readonly number[]): Promise<number[]> {
  const all = await ranks.gather(new Uint8Array(Float64Array.from(own).buffer));
  const numbers = all.map((bytes) => new Float64Array(bytes.slice().buffer));
  return own.map((_, i) => numbers.reduce((sum, one) => sum + one[i]!, 0) / ranks.size);
}
