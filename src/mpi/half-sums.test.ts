import { expect, it } from 'vitest';
import { localRanks } from '../../test/support/local-ranks.ts';
import { normalBatch } from '../random/noise.ts';
import { sumAsHalves } from './half-sums.ts';

/** What every rank holds afterwards. */
async function summed(given: readonly Float32Array[]): Promise<readonly Float32Array[]> {
  const own = given.map((data) => data.slice());
  await Promise.all(localRanks(given.length).map((ranks) => sumAsHalves(ranks, own[ranks.rank]!)));
  return own;
}

it('adds up numbers of any size to 11 binary digits, the same on all ranks', async () => {
  // Twice as large as float16 can be, far below what it can be, and 2^-25 of the largest beside it.
  const scales = [1.3e5, 1e-30, 1, 2 ** -25];
  const drawn = [0, 1, 2].map((rank) =>
    normalBatch({ seed: rank, stream: 'gradients', step: 0 }, [0, 1, 2, 3], 10).map(Math.abs),
  );
  for (const wanted of [[0], [1], [2, 3]]) {
    const given = drawn.map((all) =>
      Float32Array.from(
        wanted.flatMap((row) => [...all.subarray(10 * row, 10 * row + 10)].map((x) => scales[row]! * (1 + x))),
      ),
    );
    const all = await summed(given);
    for (const other of all) expect(other).toEqual(all[0]);
    for (const [i, got] of all[0]!.entries()) {
      const exact = given.reduce((sum, one) => sum + one[i]!, 0);
      expect(Math.abs(got / exact - 1), `${got} for ${exact}`).toBeLessThan(2 ** -10);
    }
  }
});

it('keeps what is not finite, nothing but zeros, and fewer numbers than ranks', async () => {
  const [broken] = await summed([Float32Array.of(1, Number.NaN, 2), Float32Array.of(Infinity, 0, 3)]);
  expect([...broken!]).toEqual([Infinity, Number.NaN, 5]);
  expect((await summed([new Float32Array(5), new Float32Array(5)]))[1]).toEqual(new Float32Array(5));
  expect((await summed([1, 2, 4].map((x) => Float32Array.of(x))))[2]).toEqual(Float32Array.of(7));
});
