/** Fused programs on several threads: what is handed over comes back, and nothing is computed otherwise than on one. */

import { expect, it } from 'vitest';
import { float32, type NDArray, sizeOf, type Tree } from '../../base/ndarray.ts';
import { flatten, unflatten } from '../../base/tree.ts';
import * as g from '../../graph/index.ts';
import { normals } from '../../random/noise.ts';
import { Engine } from '../engine.ts';
import { fuse } from './fuse.ts';
import { loadFused, loopOf } from './fused.ts';
import { buffersIn, type Helpers } from './update-threads.ts';

const SMALL = g.f32(7);
const LARGE = [g.f32(200, 200), g.f32(2 ** 16), g.f32(33, 1001)];
const shapes = { a: LARGE[0]!, b: SMALL, c: LARGE[1]!, d: LARGE[2]! };
/** m ← m/2 + w, w ← w − rate · m. */
const update = g.trace({ state: { w: shapes, m: shapes }, rate: g.f32() }, ({ state: { w, m }, rate }) => {
  const names = ['a', 'b', 'c', 'd'] as const;
  const next = names.map((name) => [name, g.add(g.mul(m[name], 0.5), w[name])] as const);
  const moved = next.map(([name, mean]) => [name, g.sub(w[name], g.mul(mean, rate))] as const);
  return { state: { w: Object.fromEntries(moved), m: Object.fromEntries(next) } };
});
const start = (): Record<string, NDArray<'float32'>> =>
  Object.fromEntries(
    Object.entries(update.inputs)
      .filter(([path]) => path.startsWith('state.'))
      .map(([path, { shape }]) => [
        path,
        float32(Float32Array.from(normals({ seed: 1, stream: path, step: 0 }, 0, sizeOf(shape))), shape),
      ]),
  );

/** Three runs with so many helpers that are no threads, but are handed memory as threads are. */
async function walk(size: number) {
  const given: string[][] = Array.from({ length: size }, () => []);
  const helpers: Helpers = {
    size,
    helper: (index, loops) => {
      given[index]!.push(...loops.flatMap(({ arrays }) => arrays));
      return async (scalars, arrays) => {
        const own = structuredClone(arrays, { transfer: buffersIn(arrays) });
        for (const [i, loop] of loops.entries()) loopOf(loop)(scalars[i]!, own[i]!);
        return own;
      };
    },
  };
  const program = loadFused(fuse(update)!, helpers);
  const state = new Map(Object.entries(start()).map(([path, { data }]) => [path, data]));
  const memory = { array: (path: string) => state.get(path)!, moved: state.set.bind(state) };
  for (let i = 0; i < 3; i++) await program.run(() => 0.1, memory);
  return { given, state };
}

it('hands large loops to helpers and takes them back, and keeps small ones', async () => {
  const [alone, helped] = [await walk(0), await walk(2)];
  expect(helped.given.map((arrays) => arrays.length)).toEqual([2, 2]);
  expect(helped.given.flat()).not.toContain('state.w.b');
  for (const [path, data] of alone.state) {
    expect(data, path).not.toEqual(start()[path]!.data);
    expect(helped.state.get(path), path).toEqual(data);
  }
});

it('starts no helper for nothing', async () => {
  const { given } = await walk(9);
  expect(given.filter((arrays) => arrays.length > 0)).toHaveLength(2);
});

it('computes the same on the threads of an engine as on one, bit by bit', async () => {
  const states = [];
  for (const threads of [1, 3]) {
    const engine = Engine.start({ threads });
    const program = await engine.compile(update, { inPlace: true });
    const { state } = unflatten(start()) as { readonly state: { readonly [key: string]: Tree<NDArray> } };
    await engine.load(state);
    for (let i = 0; i < 3; i++) await program.run({ rate: float32([0.1], []) });
    states.push(flatten<NDArray>(await engine.read('')));
    await engine.close();
  }
  expect(Object.keys(states[0]!)).toHaveLength(8);
  expect(states[1]).toEqual(states[0]);
});
