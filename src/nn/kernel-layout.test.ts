/** Weights in the kernel layout and back, against its definition. */

import { expect, it } from 'vitest';
import { float32, type NDArray, type Tree } from '../base/ndarray.ts';
import { flatten, type Leaf, leaves } from '../base/tree.ts';
import { engineParameters, fromEngineLayout, toEngineLayout } from './kernel-layout.ts';
import { convParameters, linearParameters } from './layers.ts';
import { initialize } from './parameters.ts';

it('the kernel layout has each number where its tap, its input and its output say', () => {
  const [to, from] = [2, 5];
  const data = Float32Array.from({ length: to * from * 9 }, (_, i) => i);
  const given = toEngineLayout(float32(data, [to, from, 3, 3]));
  expect(given.shape).toEqual([3, 3, from, to]);
  for (let o = 0; o < to; o++)
    for (let i = 0; i < from; i++)
      for (let tap = 0; tap < 9; tap++)
        expect(given.data[(tap * from + i) * to + o]).toBe(data[(o * from + i) * 9 + tap]);
});

it('gives files their layout back, also where a weight looks like a 3x3 convolution of the other layout', () => {
  const parameters = {
    conv: convParameters(4, 5, 3),
    point: convParameters(3, 3, 1),
    wide: convParameters(2, 3, 5),
    layer: linearParameters(3, 3),
  };
  const values: Tree<NDArray> = initialize(parameters, 1);
  const inEngine = toEngineLayout(values);
  const shapes = (tree: Tree<Leaf>) => leaves(tree).map(([path, { shape }]) => [path, shape]);
  expect(shapes(inEngine)).toEqual(shapes(engineParameters(parameters)));
  expect(flatten(inEngine)['conv.weight']!.shape).toEqual([3, 3, 4, 5]);
  expect(flatten(fromEngineLayout(inEngine, parameters))).toEqual(flatten(values));
});
