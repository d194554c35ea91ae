/** Weights as sampling has them, put together again by hand. */

import { expect, it } from 'vitest';
import { float32, sizeOf } from '../base/ndarray.ts';
import { leaves } from '../base/tree.ts';
import { fromKernelLayout, toEngineLayout } from '../nn/kernel-layout.ts';
import { initializeEach } from '../nn/parameters.ts';
import { samplingArrays, samplingParameters } from './layout.ts';
import { diffusionParameters, type TransformerConfig } from './transformer.ts';

/** Wide enough for two parts, and of an odd number of channels. */
const config: TransformerConfig = {
  layers: 1,
  dim: 64,
  heads: 2,
  mlp: 'conv',
  mlpRatio: 19.015625,
  timesteps: 3,
  codes: 5,
  grid: 4,
  conditionDim: 8,
};
const weights = [...initializeEach(diffusionParameters(config), 3)];

it('gives arrays of the shapes that programs read, path by path', () => {
  const expected = leaves(samplingParameters(diffusionParameters(config))).map(([path, { shape }]) => [path, shape]);
  const given = weights.flatMap(([path, array]) => Object.entries(samplingArrays(path, array)));
  expect(Object.fromEntries(given.map(([path, { shape }]) => [path, shape]))).toEqual(Object.fromEntries(expected));
  expect(expected.filter(([path]) => String(path).includes('conv1.weight')).map(([, shape]) => shape)).toEqual([
    [3, 3, 64, 609],
    [3, 3, 64, 608],
  ]);
});

it.each([
  { layer: 'conv1', axis: 0 },
  { layer: 'conv2', axis: 1 },
])('loses and mixes up nothing of $layer', ({ layer, axis }) => {
  const [path, whole] = weights.find(([name]) => name.endsWith(`mlp.${layer}.weight`))!;
  const parts = Object.values(samplingArrays(path, whole)).map(fromKernelLayout);
  expect(parts.length).toBe(2);
  // As files have them, [out, in, 3, 3]: conv1 is cut along what comes out, conv2 along what goes in.
  const rebuilt = new Float32Array(whole.data.length);
  let start = 0;
  for (const { shape, data } of parts) {
    const [outer, width] = [sizeOf(whole.shape.slice(0, axis)), sizeOf(shape.slice(axis))];
    const row = sizeOf(whole.shape.slice(axis));
    for (let o = 0; o < outer; o++)
      rebuilt.set(data.slice(o * width, (o + 1) * width) as Float32Array, o * row + start);
    start += width;
  }
  expect(rebuilt).toEqual(whole.data);
});

it('leaves other arrays alone, but for the layout of convolutions', () => {
  const bias = float32(Float32Array.of(1, 2), [2]);
  expect(samplingArrays('transformer.blocks.0.mlp.conv1.bias', bias)).toEqual({
    'transformer.blocks.0.mlp.conv1.bias': bias,
  });
  const other = float32(
    Float32Array.from({ length: 54 }, (_, i) => i),
    [3, 2, 3, 3],
  );
  expect(samplingArrays('down.conv.weight', other)).toEqual({ 'down.conv.weight': toEngineLayout(other) });
});
