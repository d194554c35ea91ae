/** LPIPS as a metric, with weights at random: each pair for itself, whatever batch it is computed in. */

import { expect, it } from 'vitest';
import { float32, sizeOf } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { type RgbImage, toPlanar } from '../data/pictures/image.ts';
import { Engine } from '../engine/engine.ts';
import * as g from '../graph/index.ts';
import { adopt, type Parameter } from '../nn/parameters.ts';
import { integers, normals } from '../random/noise.ts';
import { lpips, lpipsParameters } from '../vqgan/lpips.ts';
import { perceptualDistances } from './perceptual-distance.ts';

const SIDE = 32;
const picture = (sample: number): RgbImage => ({
  width: SIDE,
  height: SIDE,
  data: Uint8Array.from(integers({ seed: 4, stream: 'lpips', step: 0 }, sample, 3 * SIDE * SIDE, 256)),
});
const net = lpipsParameters('squeeze');
const arrays = Object.entries(flatten<Parameter>(net)).map(([name, { shape }], i) => {
  const values = normals({ seed: 5, stream: 'weights', step: 0 }, i, sizeOf(shape));
  const scale = 1 / Math.sqrt(Math.max(1, sizeOf(shape.slice(1))));
  return [
    name,
    float32(
      Float32Array.from(values, (x) => scale * x),
      shape,
    ),
  ] as const;
});
const positive = ([name, array]: (typeof arrays)[number]) =>
  [name, name.startsWith('lin') ? float32(array.data.map(Math.abs), array.shape) : array] as const;
const params = adopt(net, Object.fromEntries(arrays.map(positive)), 'weights at random');

it('each pair has its own distance, also in a batch that is not full, and equal pictures have none', async () => {
  const [a, b] = [
    Array.from({ length: 10 }, (_, i) => picture(i)),
    Array.from({ length: 10 }, (_, i) => picture(i + 3)),
  ];
  b[9] = a[9]!;
  const distances = await perceptualDistances({ net: 'squeeze', params }, a, b, { threads: 1 });
  expect(distances).toHaveLength(10);
  expect(distances[9]).toBe(0);
  const engine = Engine.start({ threads: 1 });
  try {
    await engine.load({ params });
    const planes = (image: RgbImage) => float32(toPlanar([image]), [1, 3, SIDE, SIDE]);
    const feeds = { x: planes(a[0]!), y: planes(b[0]!) };
    const program = await engine.compile(
      g.trace({ state: { params }, ...feeds }, ({ state, x, y }) => ({ d: lpips('squeeze', state.params, x, y) })),
    );
    for (const i of [0, 8]) {
      const { d } = await program.run({ x: planes(a[i]!), y: planes(b[i]!) });
      expect(d!.data[0]).toBeGreaterThan(0);
      expect(distances[i]! / d!.data[0]!).toBeCloseTo(1, 4);
    }
  } finally {
    await engine.close();
  }
  const small = { width: 16, height: 16, data: new Uint8Array(768) };
  await expect(perceptualDistances({ net: 'squeeze', params }, [small], [small], {})).rejects.toThrow(RangeError);
});
