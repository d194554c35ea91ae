import { expect, it } from 'vitest';
import { project } from './scaling.ts';

const stage = { secondsPerStep: 8, batch: 16, bytes: 4e8 };

it('divides computing among nodes and adds what their links carry', () => {
  const [one, two] = project(stage, [1, 2], [10]);
  expect(one).toEqual({ nodes: 1, gigabits: 10, secondsPerStep: 8, speedup: 1 });
  // Half of the computing, and all bytes once through a link of 1.25 GB/s.
  expect(two!.secondsPerStep).toBeCloseTo(4 + 4e8 / 1.25e9, 3);
});

it('leaves out nodes that do not divide the batch, and is faster over faster links', () => {
  const points = project(stage, [3, 8, 32], [10, 100]);
  expect(points.map(({ nodes }) => nodes)).toEqual([8, 8]);
  expect(points[1]!.speedup).toBeGreaterThan(points[0]!.speedup);
});
