/** Programs that engines of two ranks run together, against one engine with the whole batch. */

import { afterAll, expect, it } from 'vitest';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { localRanks } from '../../test/support/local-ranks.ts';
import { float32, type NDArray } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { ALONE } from '../mpi/ranks.ts';
import { compileOverRanks } from './over-ranks.ts';

const engines = [startKeepingEngine(), startKeepingEngine()];
afterAll(() => Promise.all(engines.map((engine) => engine.close())));

/** Rows less their mean, scaled by what is left of them; a count of the rows seen so far. */
const programOf = (ranks: number): g.Program =>
  g.trace({ state: { seen: g.f32() }, x: g.f32(6 / ranks, 2), scale: g.f32(2) }, ({ state, x, scale }) => {
    const centred = g.sub(x, g.meanOverRanks(g.mean(x, 0), ranks));
    const isAbove = g.greater(x, 3);
    const spread = g.meanOverRanks(g.mean(g.square(centred), 0), ranks);
    const rows = g.where(isAbove, g.div(g.mul(centred, scale), g.sqrt(spread)), state.seen);
    return { state: { seen: g.add(state.seen, x.shape[0]! * ranks) }, rows };
  });

const x = Float32Array.from({ length: 12 }, (_, i) => (i * 7) % 11);
const scale = float32([2, -1], [2]);

it('gives what the whole batch gives, step after step, and leaves nothing but the state behind', async () => {
  const results = async (ranks: typeof ALONE): Promise<NDArray[]> => {
    const engine = engines[ranks.rank]!;
    await engine.drop('');
    await engine.load({ seen: float32([0], []) });
    const run = await compileOverRanks(engine, ranks, programOf(ranks.size), { name: 'rows' });
    const width = x.length / ranks.size;
    const own = float32(x.slice(ranks.rank * width, (ranks.rank + 1) * width), [6 / ranks.size, 2]);
    const made: NDArray[] = [];
    for (let step = 0; step < 2; step++) made.push((await run.run({ x: own, scale })).rows!);
    expect(Object.keys(await engine.describe(''))).toEqual(['seen']);
    expect([...((await engine.read('seen')) as NDArray).data]).toEqual([12]);
    return made;
  };
  const whole = await results(ALONE);
  const [first, second] = await Promise.all(localRanks(2).map(results));
  for (const step of [0, 1]) {
    const together = [...first![step]!.data, ...second![step]!.data];
    expect(together).toHaveLength(12);
    for (const [i, value] of whole[step]!.data.entries()) expect(together[i]).toBeCloseTo(value, 5);
  }
  expect(whole[1]!.data).not.toEqual(whole[0]!.data);
});
