import { afterAll, describe, expect, it } from 'vitest';
import * as g from '../graph/index.ts';
import { float32 } from '../ndarray.ts';
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

  it('names a feed that is missing, unknown or of another shape', async () => {
    const program = await engine.compile(g.trace({ x: g.f32(2) }, ({ x }) => ({ y: g.exp(x) })));
    await expect(program.run({})).rejects.toThrow(/input x was not fed/);
    await expect(program.run({ x: float32([1], [1]) })).rejects.toThrow(/\[1\].*traced as float32 \[2\]/);
    await expect(program.run({ x: float32([1, 2], [2]), y: float32([1], [1]) })).rejects.toThrow(/no input y/);
  });
});
