/**
 * LPIPS against the reference implementation, with weights that a formula gives: each layer, the distance, and its
 * gradient.
 */

import { afterAll, expect, it } from 'vitest';
import { onFixture } from '../../test/support/fixtures.ts';
import { compare, NETWORK } from '../../test/support/parity.ts';
import { float32, type NDArray, sizeOf, type Tree } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { Engine } from '../engine/engine.ts';
import * as g from '../graph/index.ts';
import { conv } from '../nn/layers.ts';
import { adopt } from '../nn/parameters.ts';
import { featureDifference, type Lpips, lpips, lpipsFeatures, lpipsParameters, weighted } from './lpips.ts';

interface Formula {
  a: number;
  b: number;
  c: number;
  M: number;
}

/** `sine(k)` is the function whose value at i is weight i of the k-th convolution tensor, over the gain of the set. */
const WEIGHTS: Readonly<Record<string, { sine(f: Formula, k: number): (i: number) => number; gain: number }>> = {
  // sin(a i + b k)
  simple: { sine: ({ a, b }, k) => sineOfLine(a, b * k), gain: 2 },
  // sin(a (i² mod M) + b i + k)
  chirp: {
    sine({ a, b, M }, k) {
      const squares = Array.from({ length: M }, (_, i) => (i * i) % M);
      const [sines, cosines] = [Math.sin, Math.cos].map((f) => Float64Array.from(squares, (square) => f(a * square)));
      const [sine, cosine] = [sineOfLine(b, k), sineOfLine(b, k + Math.PI / 2)];
      return (i) => sines![i % M]! * cosine(i) + cosines![i % M]! * sine(i);
    },
    gain: 4,
  },
};

/**
 * sin(slope · i + start), for i upwards: a sum of angles within blocks, as good as Math.sin, which takes 100 ns for
 * each of 29 million weights.
 */
function sineOfLine(slope: number, start: number): (i: number) => number {
  const BLOCK = 256;
  const [sines, cosines] = [Math.sin, Math.cos].map((f) =>
    Float64Array.from({ length: BLOCK }, (_, i) => f(slope * i)),
  );
  let block = -1;
  let [sine, cosine] = [0, 0];
  return (i) => {
    const at = i % BLOCK;
    if (i - at !== block) {
      block = i - at;
      sine = Math.sin(slope * block + start);
      cosine = Math.cos(slope * block + start);
    }
    return sine * cosines![at]! + cosine * sines![at]!;
  };
}

function vggOf(name: string, formula: Formula): Lpips<NDArray<'float32'>> {
  const { sine, gain } = WEIGHTS[name]!;
  let tensor = 0;
  const arrays = Object.entries(flatten<{ dtype: 'float32'; shape: readonly number[] }>(lpipsParameters('vgg'))).map(
    ([path, { shape }]): [string, NDArray] => {
      const data = new Float32Array(sizeOf(shape));
      if (path.startsWith('lin.')) {
        const layer = Number(path.split('.')[1]);
        for (let i = 0; i < data.length; i++) data[i] = Math.abs(Math.sin(formula.c * i + layer)) * 0.1;
        return [path, float32(data, shape)];
      }
      const scale = path.endsWith('.bias') ? 0.01 : Math.sqrt(gain / sizeOf(shape.slice(1)));
      const at = sine(formula, tensor++);
      for (let i = 0; i < data.length; i++) data[i] = at(i) * scale;
      return [path, float32(data, shape)];
    },
  );
  return adopt(lpipsParameters('vgg'), Object.fromEntries(arrays), 'the formula');
}

onFixture('lpips', (file) => {
  const formula = file.setting('formula') as Formula;
  const feeds = { in0: file.feed('in0'), in1: file.feed('in1') };
  const engine = Engine.start({ threads: 1 });
  afterAll(() => engine.close());

  it.each(Object.keys(WEIGHTS))('%s', async (name) => {
    const params = vggOf(name, formula);
    const weights = flatten<NDArray>(params.features as Tree<NDArray>);
    for (const stored of file.matching(new RegExp(`^${name}\\.check\\.(.+)_first16$`))) {
      const path = stored.replace(/^slice\d+\./, '');
      const expected = file.floats(`${name}.check.${stored}_first16`);
      compare('lpips', `${name}, weights`, weights[path]!.data.slice(0, expected.length), expected, { absolute: 1e-6 });
    }

    await engine.give({ params });
    const program = g.trace({ state: { params }, ...feeds }, ({ state, in0, in1 }) => {
      const [first, second] = [lpipsFeatures('vgg', state.params, in0), lpipsFeatures('vgg', state.params, in1)];
      const layers = first.map((feature, layer) => {
        const difference = featureDifference(feature, second[layer]!);
        return {
          feat0_mean: g.mean(feature, [2, 3]),
          sqdiff_mean: g.mean(difference, [1, 2, 3]),
          lin_mean: g.mean(weighted(state.params, layer, difference), [1, 2]),
        };
      });
      const distance = lpips('vgg', state.params, in0, in1);
      const named = Object.fromEntries(layers.map((layer, i) => [`layer${i}`, layer]));
      // Where a ReLU stands at its kink, rounding decides about the gradient: by the definition there is the least of
      // it.
      const exact = lpips('vgg', state.params, in0, in1, (weights, x) => conv(weights, x, { pads: 1 }));
      return { ...named, lpips: distance, grad_in0: g.grad(g.sum(exact), in0) };
    });
    const out = await (await engine.compile(program)).run(feeds);

    // The matrices of `simple` have rank 2: behind the second layer hardly anything but rounding is left.
    const compared = Object.entries(out).filter(
      ([path]) => name !== 'simple' || path === 'lpips' || /^layer[01]\./.test(path),
    );
    expect(compared.length).toBeGreaterThan(6);
    for (const [path, { data }] of compared)
      compare('lpips', `${name}.${path}`, data, file.floats(`${name}.${path}`), NETWORK);
  });
});
