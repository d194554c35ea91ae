/** Fused elementwise programs against the same program run operator by operator. */

import { afterAll, describe, expect, it } from 'vitest';
import { float32, type NDArray, scalar, sizeOf, type Tree } from '../../base/ndarray.ts';
import { flatten, mapTree } from '../../base/tree.ts';
import * as g from '../../graph/index.ts';
import { adamw, clipByGlobalNorm } from '../../optim/adamw.ts';
import { updateEma } from '../../optim/ema.ts';
import { normals } from '../../random/noise.ts';
import { Engine } from '../engine.ts';
import { isCut } from '../state-paths.ts';
import { fuse } from './fuse.ts';
import { splitUpdate } from './split-update.ts';

const engine = Engine.start({ threads: 1 });
afterAll(() => engine.close());

const shapes = { w: g.f32(3, 5), b: g.f32(5), one: g.f32(1) };
const draw = (stream: string): Tree<NDArray> =>
  mapTree(shapes, ({ shape }: g.Spec, path) =>
    float32(Float32Array.from(normals({ seed: 1, stream: stream + path, step: 0 }, 0, sizeOf(shape))), shape),
  );
const absolute = (tree: Tree<NDArray>) =>
  mapTree(tree, ({ data, shape }: NDArray) => float32(Float32Array.from(data, Math.abs), shape));

const inputs = {
  state: { params: shapes, ema: shapes, adam: { step: g.f32(), mean: shapes, square: shapes }, gradients: shapes },
  norm: g.f32(),
  lr: g.f32(),
};
const update = g.trace(inputs, ({ state, norm, lr }) => {
  const { gradients } = clipByGlobalNorm(state.gradients, 0.5, norm);
  const options = { beta1: 0.9, beta2: 0.96, eps: 1e-8, weightDecay: 0.045 };
  const next = adamw(state.params, gradients, state.adam, lr, options);
  return { state: { params: next.params, ema: updateEma(state.ema, next.params, g.mul(lr, 9)), adam: next.state } };
});
const start = (): Tree<NDArray> => ({
  params: draw('p'),
  ema: draw('e'),
  adam: { step: scalar(3), mean: draw('m'), square: absolute(draw('s')) },
  gradients: draw('g'),
});

describe('fused programs', () => {
  it('update parameters as the operators do', async () => {
    expect(fuse(update)).toBeDefined();
    const walk = async (inPlace: boolean) => {
      await engine.drop('');
      await engine.load(start() as { readonly [key: string]: Tree<NDArray> });
      const program = await engine.compile(update, { inPlace, fuse: inPlace });
      for (let i = 0; i < 3; i++) await program.run({ norm: scalar(2), lr: scalar(0.1) });
      return flatten<NDArray>(await engine.read(''));
    };
    const [fused, plain] = [await walk(true), await walk(false)];
    expect(Object.keys(fused).toSorted()).toEqual(Object.keys(plain).toSorted());
    for (const [path, { data }] of Object.entries(plain))
      data.forEach((value, i) => {
        expect(fused[path]!.data[i], `${path}[${i}]`).toBeCloseTo(value, 5);
      });
    expect(fused['adam.step']).toEqual(scalar(6));
    expect(fused['params.w']!.data).not.toEqual(flatten<NDArray>(start())['params.w']!.data);
  });

  it('read everything before they write, where outputs depend on each other', async () => {
    const state = { a: float32([1, 2], [2]), b: float32([10, 20], [2]) };
    const swap = g.trace({ state }, ({ state: { a, b } }) => ({ state: { a: b, b: g.add(a, b) } }));
    const program = await engine.compile(swap, { inPlace: true });
    await engine.drop('');
    await engine.load(state);
    await program.run({});
    expect(flatten<NDArray>(await engine.read(''))).toMatchObject({
      a: { data: Float32Array.of(10, 20) },
      b: { data: Float32Array.of(11, 22) },
    });
  });

  it('are only those of arithmetic, element by element, on state', () => {
    const state = { w: g.f32(4) };
    expect(fuse(g.trace({ state }, ({ state: { w } }) => ({ state: { w: g.sqrt(w) } })))).toBeDefined();
    expect(fuse(g.trace({ state }, ({ state: { w } }) => ({ state: { w: g.exp(w) } })))).toBeUndefined();
    expect(fuse(g.trace({ state }, ({ state: { w } }) => ({ state: { w: g.softmax(w) } })))).toBeUndefined();
    expect(fuse(g.trace({ state }, ({ state: { w } }) => ({ w: g.exp(w) })))).toBeUndefined();
    expect(
      fuse(g.trace({ state, x: g.f32(4) }, ({ state: { w }, x }) => ({ state: { w: g.add(w, x) } }))),
    ).toBeUndefined();
    expect(fuse(g.trace({ state }, ({ state: { w } }) => ({ state: { w: g.sum(w, 0, true) } })))).toBeUndefined();
  });

  it('are cut off the end of a training step, which leaves the same weights behind', async () => {
    const parameters = { w: g.f32(5, 3), b: g.f32(3) };
    const step = g.trace(
      {
        state: { params: parameters, adam: { step: g.f32(), mean: parameters, square: parameters } },
        x: g.f32(4, 5),
        lr: g.f32(),
      },
      ({ state: { params, adam }, x, lr }) => {
        const loss = g.sum(g.square(g.add(g.matmul(x, params.w), params.b)));
        const { gradients, norm } = clipByGlobalNorm(g.grad(loss, params), 0.5);
        const next = adamw(params, gradients, adam, lr, { beta1: 0.9, beta2: 0.96, eps: 1e-8, weightDecay: 0.1 });
        return { state: { params: next.params, adam: next.state }, loss, norm };
      },
    );
    const split = splitUpdate(step)!;
    const left = Object.keys(split.core.outputs).filter((name) => !isCut(name));
    expect(left.toSorted()).toEqual(['loss', 'norm', 'state.adam.step']);
    // Of each parameter the gradient is handed over, and nothing else of its size.
    const handed = Object.entries(split.core.outputs).filter(([name, { shape }]) => isCut(name) && sizeOf(shape) > 1);
    expect(handed.map(([, { shape }]) => sizeOf(shape)).toSorted((a, b) => a - b)).toEqual([3, 15]);

    const x = float32(Float32Array.from(normals({ seed: 1, stream: 'x', step: 0 }, 0, 20)), [4, 5]);
    const walk = async (fused: boolean) => {
      const program = await engine.compile(step, { fuse: fused });
      await engine.drop('');
      const [w, b] = [
        float32(
          Float32Array.from({ length: 15 }, (_, i) => i / 15),
          [5, 3],
        ),
        float32([1, 2, 3], [3]),
      ];
      const zeros = { w: float32(new Float32Array(15), [5, 3]), b: float32(new Float32Array(3), [3]) };
      await engine.load({ params: { w, b }, adam: { step: scalar(0), mean: zeros, square: zeros } });
      const losses = [];
      for (let i = 0; i < 4; i++) losses.push((await program.run({ x, lr: scalar(0.05) })).loss!.data[0]!);
      return { losses, state: flatten<NDArray>(await engine.read('')) };
    };
    const [one, two] = [await walk(true), await walk(false)];
    expect(one.losses[3]).toBeLessThan(one.losses[0]! * 0.9);
    for (const [i, loss] of two.losses.entries()) expect(one.losses[i]! / loss).toBeCloseTo(1, 5);
    for (const [path, { data }] of Object.entries(two.state))
      data.forEach((value, i) => {
        expect(one.state[path]!.data[i], path).toBeCloseTo(value, 4);
      });
  });
});
