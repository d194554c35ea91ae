/** Errors of paired comparisons: by hand, and against how far the same comparison scatters when it is repeated. */

import { expect, it } from 'vitest';
import { finish } from '../base/steps.ts';
import { normals } from '../random/noise.ts';
import { distancesOf, meanDifference, meanOf, ratioOf, spreadOf } from './paired.ts';

const DIM = 2;
const PICTURES = 120;
const draw = (stream: string, count: number, step = 0) => normals({ seed: 1, stream, step }, 0, count);
const real = Float32Array.from(draw('real', 400 * DIM));
const spread = (values: readonly number[]) => meanOf(values).error * Math.sqrt(values.length);

it('takes differences pair by pair', () => {
  const { value, error } = meanDifference([1, 2, 4], [0, 2, 2]);
  expect(value).toBe(1);
  expect(error).toBeCloseTo(Math.sqrt(2 / 3 / 3), 12);
});

it('does not count luck that both sides have had', () => {
  const luck = draw('luck', 1000);
  const side = (stream: string) => luck.map((value, i) => value + 0.01 * draw(stream, 1000)[i]!);
  const [a, b] = [side('a'), side('b')];
  expect(meanOf(a).error).toBeGreaterThan(0.02);
  expect(meanDifference(a, b).error).toBeLessThan(0.001);
});

/** Pictures off by 0.5 that share their luck, and others than those that differ by a little. */
function sides(step: number) {
  const luck = draw('shared', PICTURES * DIM, step);
  const own = draw('own', PICTURES * DIM, step);
  const a = Float32Array.from(luck, (value) => value + 0.5);
  const b = Float32Array.from(luck, (value, i) => value + 0.5 + 0.1 * own[i]!);
  return { a: finish(distancesOf(a, real, DIM)), b: finish(distancesOf(b, real, DIM)) };
}

it('says of a Fréchet ratio how far it scatters over other pictures, which is less than without pairs', () => {
  const repeated = Array.from({ length: 60 }, (_, step) => sides(step));
  const scatter = spread(repeated.map(({ a, b }) => b.all / a.all));
  const said = meanOf(repeated.map(({ a, b }) => ratioOf(b, a).error)).value;
  expect(said / scatter).toBeGreaterThan(0.6);
  expect(said / scatter).toBeLessThan(1.6);
  const unpaired = meanOf(repeated.map(({ a }) => (Math.SQRT2 * spreadOf(a).error) / a.all)).value;
  expect(said).toBeLessThan(unpaired / 2);
});

it('finds no difference between a side and itself', () => {
  const { a } = sides(0);
  expect(ratioOf(a, a)).toEqual({ value: 1, error: 0 });
});
