import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { float32, int32 } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { Engine } from './engine.ts';

const engine = Engine.start({ threads: 1 });
afterAll(() => engine.close());

describe('engine', () => {
  it('keeps state between runs and shares it among programs', async () => {
    const state = { w: float32([1, 2], [2]) };
    const step = await engine.compile(
      g.trace({ state, x: g.f32(2) }, ({ state: { w }, x }) => {
        const loss = g.sum(g.square(g.sub(w, x)));
        return { state: { w: g.sub(w, g.mul(g.grad(loss, w), 0.25)) }, loss };
      }),
    );
    const look = await engine.compile(g.trace({ state }, ({ state: { w } }) => ({ total: g.sum(w) })));
    await engine.load(state);
    const x = float32([3, 3], [2]);
    const losses = [];
    for (let i = 0; i < 3; i++) losses.push((await step.run({ x })).loss!.data[0]);
    expect(losses).toEqual([5, 1.25, 0.3125]);
    expect((await look.run({})).total!.data[0]).toBeCloseTo(6 - 3 / 8, 6);
    expect(await engine.read('w')).toMatchObject({ shape: [2], data: Float32Array.of(2.75, 2.875) });
  });

  it('leaves feeds to the caller, and tells those of one run from those of the next', async () => {
    const program = await engine.compile(g.trace({ x: g.f32(3), n: g.i32(3) }, ({ x, n }) => ({ y: g.add(x, 1), n })));
    const [first, second] = [float32([1, 2, 3], [3]), float32([4, 5, 6], [3])];
    const n = int32([7, 8, 9], [3]);
    const runs = await Promise.all([first, second, first].map((x) => program.run({ x, n })));
    expect(runs.map(({ y }) => [...y!.data])).toEqual([
      [2, 3, 4],
      [5, 6, 7],
      [2, 3, 4],
    ]);
    expect(runs[2]!.n).toEqual(n);
    expect([...first.data, ...second.data, ...n.data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('forgets a released program, and none of the state it used', async () => {
    const own = Engine.start({ threads: 1 });
    try {
      const state = { w: float32([1, 2], [2]) };
      const add = (more: number) =>
        own.compile(g.trace({ state }, ({ state: { w } }) => ({ state: { w: g.add(w, more) }, total: g.sum(w) })));
      const [one, ten] = [await add(1), await add(10)];
      const both = own.footprint().programs;
      await own.load(state);
      await one.run({});
      await one.release();
      expect(own.footprint().programs).toBeLessThan(both);
      await expect(one.run({})).rejects.toThrow(/released/);
      await ten.run({});
      expect(await own.read('w')).toMatchObject({ data: Float32Array.of(12, 13) });
    } finally {
      await own.close();
    }
  });

  it('lists the devices where it is given one that there is not', async () => {
    await using other = Engine.start({ device: 'abacus' });
    const program = g.trace({ x: g.f32() }, ({ x }) => ({ y: g.exp(x) }));
    const compiled = other.compile(program);
    await expect(compiled).rejects.toThrow(UserError);
    await expect(compiled).rejects.toThrow(/no device abacus here: choose one of .*cpu/);
  });

  it('says so where there is not enough memory to run a program', async () => {
    const program = await engine.compile(
      g.trace({ x: g.f32(2, 1) }, ({ x }) => ({ y: g.sum(g.exp(g.expand(x, [2, 4e11]))) })),
      { name: 'a huge sum' },
    );
    const run = program.run({ x: float32([1, 2], [2, 1]) });
    await expect(run).rejects.toThrow(UserError);
    await expect(run).rejects.toThrow(/not enough memory to run a huge sum \(3200.0 GB at once\)/);
  });

  it('names a feed that is missing, unknown or of another shape', async () => {
    const program = await engine.compile(g.trace({ x: g.f32(2) }, ({ x }) => ({ y: g.exp(x) })));
    await expect(program.run({})).rejects.toThrow(/input x was not fed/);
    await expect(program.run({ x: float32([1], [1]) })).rejects.toThrow(/\[1\].*traced as float32 \[2\]/);
    await expect(program.run({ x: float32([1, 2], [2]), y: float32([1], [1]) })).rejects.toThrow(/no input y/);
  });
});
