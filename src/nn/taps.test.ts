/** Weights taps first and back, against the definition of the order. */

import { expect, it } from 'vitest';
import { float32, type NDArray, type Tree } from '../base/ndarray.ts';
import { flatten, type Leaf, leaves } from '../base/tree.ts';
import { convParameters, linearParameters } from './layers.ts';
import { initialize } from './parameters.ts';
import { arrange, arranged, arrangedParameters, restored } from './taps.ts';

it('puts each number where its tap, its input and its output say', () => {
  const [to, from] = [2, 5];
  const data = Float32Array.from({ length: to * from * 9 }, (_, i) => i);
  const given = arrange(float32(data, [to, from, 3, 3]));
  expect(given.shape).toEqual([3, 3, from, to]);
  for (let o = 0; o < to; o++)
    for (let i = 0; i < from; i++)
      for (let tap = 0; tap < 9; tap++)
        expect(given.data[(tap * from + i) * to + o]).toBe(data[(o * from + i) * 9 + tap]);
});

it('comes back to files, whatever looks like a 3x3 convolution in the other order', () => {
  const parameters = {
    conv: convParameters(4, 5, 3),
    point: convParameters(3, 3, 1),
    wide: convParameters(2, 3, 5),
    layer: linearParameters(3, 3),
  };
  const values: Tree<NDArray> = initialize(parameters, 1);
  const held = arranged(values);
  const shapes = (tree: Tree<Leaf>) => leaves(tree).map(([path, { shape }]) => [path, shape]);
  expect(shapes(held)).toEqual(shapes(arrangedParameters(parameters)));
  expect(flatten(held)['conv.weight']!.shape).toEqual([3, 3, 4, 5]);
  expect(flatten(restored(held, parameters))).toEqual(flatten(values));
});
