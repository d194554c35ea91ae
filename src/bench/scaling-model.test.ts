import { expect, it } from 'vitest';
import { crowdedOn, gigabitsOf, medianStep, project } from './scaling-model.ts';

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

it('projects a step of base on 64 machines to what is worked out by hand', () => {
  // 63 messages out and 63 back at 50 µs, and 126/64 of 100 MB through 12.5 GB/s.
  const [point] = project({ secondsPerStep: 6.4, batch: 64, bytes: 1e8 }, [64], [100]);
  expect(point!.secondsPerStep).toBeCloseTo(0.1 + 126 * 50e-6 + ((126 / 64) * 1e8) / 12.5e9, 10);
  expect(point!.speedup).toBeCloseTo(6.4 / 0.12205, 6);
});

it('splits the step of median time into parts that make it up', () => {
  // Steps of 10, 30 and 20 ms; the median one has communicated for 4 and waited for 1.
  const readings = [
    { at: 100, communicating: 7, waiting: 5 },
    { at: 110, communicating: 8, waiting: 5 },
    { at: 140, communicating: 9, waiting: 25 },
    { at: 160, communicating: 13, waiting: 26 },
  ];
  expect(medianStep(readings)).toEqual({ ms: 20, computing: 15, communicating: 4, waiting: 1 });
});

it('names the ranks that have to take turns on the cores there are, and how fast a bucket went', () => {
  const measured = [1, 2, 4].map((ranks) => ({ ranks }));
  expect(crowdedOn(2, measured, 1)).toEqual([{ ranks: 4 }]);
  expect(crowdedOn(2, measured, 2)).toEqual([{ ranks: 2 }, { ranks: 4 }]);
  expect(crowdedOn(2, measured, 0)).toEqual([{ ranks: 4 }]);
  // 8.4 MB are 67.2 Mb, in 16.8 ms.
  expect(gigabitsOf({ megabytes: 8.4, ms: 16.8 })).toBeCloseTo(4, 10);
});
