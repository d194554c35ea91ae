/**
 * LPIPS with the published weights: the authors' example pictures, and all three networks against the definition of
 * their shapes.
 */

import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { skipped } from '../../test/support/skip.ts';
import { float32, type NDArray } from '../base/ndarray.ts';
import { Engine } from '../engine/engine.ts';
import * as g from '../graph/index.ts';
import { countParameters } from '../nn/parameters.ts';
import { featureDifference, lpips, lpipsFeatures, lpipsParameters } from './lpips.ts';
import { featureChannels, type PerceptualNet } from './lpips-backbones.ts';
import { loadLpips } from './lpips-weights.ts';
import { planesOf } from './pixels.ts';

const folder = path.resolve(process.env.CLIPVQ_LPIPS ?? '../shared/weights/lpips');
const absent = skipped(!fs.existsSync(folder), 'LPIPS known answers', 'CLIPVQ_LPIPS names no folder with its weights');

const engine = Engine.start({ threads: 1 });
afterAll(() => engine.close());

describe.skipIf(absent)('LPIPS over SqueezeNet 1.1', () => {
  async function picture(name: string): Promise<NDArray> {
    const { data, info } = await sharp(path.join(folder, name))
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info.width).toBe(info.height);
    return float32(planesOf(data, [0], info.width), [1, 3, info.height, info.width]);
  }

  it("gives the authors' distances of their example pictures", async () => {
    const { params } = await loadLpips('squeeze', { folder });
    await engine.load({ params });
    const [reference, ...others] = await Promise.all(['ex_ref.png', 'ex_p0.png', 'ex_p1.png'].map(picture));
    const program = g.trace({ state: { params }, x: reference!, y: reference! }, ({ state, x, y }) => {
      const distance = lpips('squeeze', state.params, x, y);
      return { distance, gradient: g.grad(g.sum(distance), x) };
    });
    const executable = await engine.compile(program);
    const distances: number[] = [];
    for (const y of [...others, reference!]) {
      const { distance, gradient } = await executable.run({ x: reference!, y });
      distances.push(distance!.data[0]!);
      expect(gradient!.data.every(Number.isFinite)).toBe(true);
    }
    expect(distances[0]).toBeCloseTo(0.711, 4);
    expect(distances[1]).toBeCloseTo(0.1479, 4);
    expect(distances[2]).toBe(0);
  });
});

describe('the networks', () => {
  /** Sides of the features of 64 pixels, from the published architectures. */
  const SIDES: Readonly<Record<PerceptualNet, readonly number[]>> = {
    vgg: [64, 32, 16, 8, 4],
    alex: [15, 7, 3, 3, 3],
    squeeze: [31, 15, 7, 3, 3, 3, 3],
  };
  const COUNTS: Readonly<Record<PerceptualNet, number>> = { vgg: 14_714_688, alex: 2_469_696, squeeze: 722_496 };

  it.each(Object.keys(SIDES) as PerceptualNet[])('%s has the published shapes', (net) => {
    const parameters = lpipsParameters(net);
    expect(countParameters(parameters.features)).toBe(COUNTS[net]);
    const program = g.trace({ parameters, x: g.f32(2, 3, 64, 64) }, ({ parameters, x }) =>
      Object.fromEntries(lpipsFeatures(net, parameters, x).map((f, i) => [i, f])),
    );
    const channels = featureChannels(net);
    expect(Object.values(program.outputs).map(({ shape }) => shape)).toEqual(
      SIDES[net].map((side, i) => [2, channels[i], side, side]),
    );
  });
});

describe('the difference of features', () => {
  it('has a finite gradient where every channel is zero', async () => {
    const f = float32([0, 3, 0, 4], [1, 2, 1, 2]);
    const h = float32([1, 0, 2, 5], [1, 2, 1, 2]);
    const program = g.trace({ f, h }, ({ f, h }) => {
      const difference = featureDifference(f, h);
      return { difference, gradient: g.grad(g.sum(difference), f) };
    });
    const { difference, gradient } = await (await engine.compile(program)).run({ f, h });
    const [length, other] = [Math.sqrt(5), 5];
    const expected = [1 / length ** 2, (3 / other) ** 2, (2 / length) ** 2, (4 / other - 1) ** 2];
    difference!.data.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 6);
    });
    expect(gradient!.data.every(Number.isFinite)).toBe(true);
  });
});
