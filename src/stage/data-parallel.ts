/**
 * A batch over several ranks: each computes some of its micro-batches, with gradients that are shares of the whole
 * batch's, and the sums over all ranks take their place before the update, which every rank makes for itself.
 */

import { bytesOf, joinedBytes, type NDArray, overBuffer, sizeOf } from '../base/ndarray.ts';
import type { Engine } from '../engine/engine.ts';
import type { Ranks } from '../mpi/ranks.ts';
import { GRADIENTS } from '../optim/micro-batches.ts';

/** Samples of a batch, neighbours. */
export interface Samples {
  readonly first: number;
  readonly count: number;
}

/** The samples of a batch that this rank computes. The batch divides. */
export function ownSamples({ rank, size }: Pick<Ranks, 'rank' | 'size'>, batch: number): Samples {
  const count = batch / size;
  return { first: rank * count, count };
}

/** Their numbers in the batch. */
export const numbersOf = ({ first, count }: Samples): number[] => Array.from({ length: count }, (_, i) => first + i);

/** Numbers in a bucket: large enough for the network, small enough for the next to be fetched meanwhile. */
const BUCKET = 2 ** 21;

/** Adds up a part of the engines' state over all ranks. */
export class Reduction {
  private buckets: string[][] | undefined;

  /**
   * @param paths of the state, float32.
   * @param sum how a bucket is added up.
   */
  constructor(
    private readonly engine: Engine,
    private readonly ranks: Ranks,
    private readonly paths: readonly string[],
    private readonly sum: (data: Float32Array) => Promise<void> = (data) => ranks.sum(data),
  ) {}

  /**
   * The sums take the place of what each rank has had; a bucket is fetched while the one before it is under way.
   * @returns the norm of the sums, all numbers together: the same on all ranks.
   */
  async run(): Promise<number> {
    this.buckets ??= await bucketsOf(this.engine, this.paths);
    const { engine, ranks } = this;
    // The slowest rank is not to look like a slow network.
    await ranks.barrier();
    const sums: Promise<number>[] = [];
    for (const names of this.buckets) {
      const data = await engine.pack(names);
      const reduced = this.sum(data).then(async () => {
        const squares = sumOfSquares(data);
        await engine.unpack(names, data);
        return squares;
      });
      // A failure is reported below.
      reduced.catch(() => {});
      sums.push(reduced);
    }
    let total = 0;
    for (const sum of sums) total += await sum;
    return Math.sqrt(total);
  }
}

/** Adds up gradients over all ranks. */
export const gradientReduction = (engine: Engine, ranks: Ranks): Reduction =>
  new Reduction(engine, ranks, [GRADIENTS], (data) => ranks.sumGradients(data));

/** What lies under paths of the state, in an order that is the same on all ranks, in pieces that travel as one. */
export async function bucketsOf(engine: Engine, paths: readonly string[]): Promise<string[][]> {
  const buckets: string[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const path of paths)
    for (const [name, { shape }] of Object.entries(await engine.describe(path)).sort(([a], [b]) => (a < b ? -1 : 1))) {
      const length = sizeOf(shape);
      if (size + length > BUCKET) {
        buckets.push([]);
        size = 0;
      }
      buckets.at(-1)!.push(name);
      size += length;
    }
  return buckets;
}

function sumOfSquares(data: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! * data[i]!;
  return sum;
}

/** The state of rank 0 on every rank: all have the same tensors. */
export async function shareState(engine: Engine, ranks: Ranks): Promise<void> {
  if (ranks.size === 1) return;
  for (const name of Object.keys(await engine.describe('')).sort()) {
    const data = await engine.pack([name]);
    await ranks.broadcast(new Uint8Array(data.buffer));
    if (ranks.rank !== 0) await engine.unpack([name], data);
  }
}

type Arrays = Readonly<Record<string, NDArray>>;

/** The results of every rank's runs of a program, in the order of the batch: as many runs on each, of equal shapes. */
export async function gatherResults(ranks: Ranks, own: readonly Arrays[]): Promise<readonly Arrays[]> {
  if (ranks.size === 1) return own;
  const all = await ranks.gather(
    joinedBytes(own.flatMap((arrays) => Object.values(arrays).map(({ data }) => bytesOf(data)))),
  );
  return all.flatMap((bytes) => {
    let at = 0;
    return own.map((arrays) =>
      Object.fromEntries(
        Object.entries(arrays).map(([name, like]) => {
          const from = at;
          at += like.data.byteLength;
          return [name, overBuffer(bytes.slice(from, at).buffer as ArrayBuffer, like)];
        }),
      ),
    );
  });
}

/** Arrays [samples, …] of every rank as one, in the order of the batch. */
export async function gatherBatch<T extends NDArray>(ranks: Ranks, own: T): Promise<T> {
  if (ranks.size === 1) return own;
  const bytes = joinedBytes(await ranks.gather(bytesOf(own.data)));
  const [first = 0, ...rest] = own.shape;
  return overBuffer(bytes.buffer, { dtype: own.dtype, shape: [first * ranks.size, ...rest] }) as T;
}

/** Numbers and arrays of rank 0 on every rank; the others give arrays of the same shapes, or undefined. */
export async function broadcastArrays(ranks: Ranks, own: Arrays | undefined): Promise<Arrays> {
  if (ranks.size === 1) return own!;
  const specs = Object.entries(own ?? {}).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const [head] = await ranks.gather(new TextEncoder().encode(ranks.rank === 0 ? JSON.stringify(specs) : ''));
  const [body] = await ranks.gather(
    ranks.rank === 0 ? joinedBytes(Object.values(own!).map(({ data }) => bytesOf(data))) : new Uint8Array(0),
  );
  let at = 0;
  return Object.fromEntries(
    (JSON.parse(new TextDecoder().decode(head)) as typeof specs).map(({ name, dtype, shape }) => {
      const length = sizeOf(shape) * (dtype === 'float64' ? 8 : 4);
      at += length;
      return [name, overBuffer(body!.slice(at - length, at).buffer as ArrayBuffer, { dtype, shape })];
    }),
  );
}
