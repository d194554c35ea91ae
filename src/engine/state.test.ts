/** State between runs: what a program writes is what the next run reads, however the arrays were first handed over. */

import { afterAll, expect, it } from 'vitest';
import { float32, int32 } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { Engine } from './engine.ts';

const engine = Engine.start({ threads: 1 });
afterAll(() => engine.close());

it('stays apart under two names that were loaded from one array', async () => {
  const zeros = float32([0, 0], [2]);
  const state = { a: zeros, b: zeros, c: float32(zeros.data.subarray(1), [1]) };
  const step = await engine.compile(
    g.trace({ state }, ({ state: { a, b, c } }) => ({ state: { a: g.add(a, 1), b: g.sub(b, a), c: g.add(c, 10) } })),
  );
  await engine.load(state);
  for (let i = 0; i < 5; i++) await step.run({});
  expect(await engine.read('a')).toMatchObject({ data: Float32Array.of(5, 5) });
  expect(await engine.read('b')).toMatchObject({ data: Float32Array.of(-10, -10) });
  expect(await engine.read('c')).toMatchObject({ data: Float32Array.of(50) });
  expect(zeros.data).toEqual(Float32Array.of(0, 0));
});

it('is read as a copy that later runs do not touch', async () => {
  const state = { count: int32([0], []) };
  const step = await engine.compile(
    g.trace({ state }, ({ state: { count } }) => ({ state: { count: g.add(count, 1) } })),
  );
  await engine.load(state);
  const snapshots = [];
  for (let i = 0; i < 4; i++) {
    snapshots.push(await engine.read('count'));
    await step.run({});
  }
  expect(snapshots).toMatchObject([0, 1, 2, 3].map((n) => ({ data: Int32Array.of(n) })));
});

it('swaps two tensors in one run, each reading what the other was', async () => {
  const state = { left: float32([1], [1]), right: float32([2], [1]) };
  const swap = await engine.compile(
    g.trace({ state }, ({ state: { left, right } }) => ({ state: { left: right, right: left } })),
  );
  await engine.load(state);
  for (let i = 0; i < 3; i++) await swap.run({});
  expect(await engine.read('left')).toMatchObject({ data: Float32Array.of(2) });
  expect(await engine.read('right')).toMatchObject({ data: Float32Array.of(1) });
});

it('is missed by name when it was never loaded or has been dropped', async () => {
  const state = { gone: { w: float32([1], [1]) } };
  const look = await engine.compile(g.trace({ state }, ({ state: { gone } }) => ({ y: g.exp(gone.w) })));
  await expect(look.run({})).rejects.toThrow(/state\.gone\.w/);
  await engine.load(state);
  await look.run({});
  await engine.drop('gone');
  await expect(look.run({})).rejects.toThrow(/state\.gone\.w/);
  expect(Object.keys(await engine.describe(''))).not.toContain('gone.w');
});

it('is written over in place, with the same results, where a program asks for it', async () => {
  const state = { p: float32([1, 2], [2]), m: float32([0, 0], [2]) };
  const update = g.trace({ state, x: float32([0, 0], [2]) }, ({ state: { p, m }, x }) => {
    const mean = g.add(g.mul(m, 0.5), x);
    return { state: { p: g.sub(p, mean), m: mean, seen: x }, y: g.sum(p) };
  });
  const walk = async (inPlace: boolean) => {
    const program = await engine.compile(update, { inPlace });
    await engine.load(state);
    const sums: number[] = [];
    for (let i = 0; i < 4; i++) sums.push((await program.run({ x: float32([i, 1], [2]) })).y!.data[0]!);
    return { sums, p: await engine.read('p'), m: await engine.read('m'), seen: await engine.read('seen') };
  };
  const apart = await walk(false);
  expect(apart.seen).toMatchObject({ data: Float32Array.of(3, 1) });
  expect(await walk(true)).toEqual(apart);
});

it('is handed over without a copy where it is given, which a part of a buffer cannot be', async () => {
  const look = await engine.compile(g.trace({ state: { w: g.f32(3) } }, ({ state: { w } }) => ({ y: g.mul(w, 2) })));
  const given = float32([1, 2, 3], [3]);
  await engine.give({ w: given });
  expect(given.data).toHaveLength(0);
  expect((await look.run({})).y!.data).toEqual(Float32Array.of(2, 4, 6));
  const whole = new Float32Array(4);
  await expect(engine.give({ w: float32(whole.subarray(1), [3]) })).rejects.toThrow(/state\.w shares its buffer/);
  expect(whole).toHaveLength(4);
});

it.each([false, true])(
  'keeps the shape it was traced with where that is the last to be made (in place: %s)',
  async (inPlace) => {
    const state = { sum: g.f32(2, 3), other: g.f32(6) };
    const program = await engine.compile(
      g.trace({ state, x: g.f32(3, 2) }, ({ state: { other }, x }) => ({
        state: { sum: g.reshape(g.exp(x), [2, 3]), other: g.reshape(g.sqrt(x), [6]) },
        y: g.reshape(g.mul(x, 2), [1, 6]),
        z: g.reshape(other, [3, 2]),
      })),
      { inPlace, fuse: false },
    );
    const read = await engine.compile(
      g.trace({ state: { sum: g.f32(2, 3) } }, ({ state: { sum } }) => ({ rows: g.sum(sum, 1) })),
    );
    await engine.load({ sum: float32(new Float32Array(6), [2, 3]), other: float32([6, 5, 4, 3, 2, 1], [6]) });
    const x = float32([0, 0, 0, 1, 4, 9], [3, 2]);
    const { y, z } = await program.run({ x });
    expect(y).toEqual(float32([0, 0, 0, 2, 8, 18], [1, 6]));
    expect(z!.shape).toEqual([3, 2]);
    expect(await engine.read('other')).toEqual(float32([0, 0, 0, 1, 2, 3], [6]));
    expect((await read.run({})).rows!.data[0]).toBeCloseTo(3);
    expect((await engine.describe('sum')).sum).toMatchObject({ shape: [2, 3] });
  },
);
