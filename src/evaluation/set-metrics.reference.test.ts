/** Metrics of sets of pictures against what NumPy, SciPy and scikit-learn compute (`test/reference/set-metrics.py`). */

import fs from 'node:fs';
import { expect, it } from 'vitest';
import { finish } from '../base/steps.ts';
import { frechetDistance, frechetInterval, kernelInterval } from './feature-distance.ts';
import { inceptionScore } from './inception-score.ts';
import { memorisation } from './memorisation.ts';
import { mindInterval } from './mind.ts';
import { neighbourhoods } from './neighbours.ts';

interface Fixture {
  readonly inputs: Readonly<Record<string, { readonly dim: number; readonly rows: readonly number[] }>>;
  readonly frechet: number;
  readonly kernel: number;
  readonly neighbourhoods: Readonly<Record<'k' | 'precision' | 'recall' | 'density' | 'coverage', number>>;
  readonly mind: number;
  readonly inception: { readonly value: number; readonly deviation: number };
  readonly memorisation: {
    readonly cells: readonly { readonly z: number; readonly made: number; readonly heldOut: number }[];
    readonly z: number;
    readonly p: number;
    readonly worst: number;
  };
}

const file = new URL('../../test/fixtures/set-metrics.json', import.meta.url);
const expected = JSON.parse(fs.readFileSync(file, 'utf8')) as Fixture;
const input = (name: string) => expected.inputs[name]!;
/** In float64, where the metric takes it. */
const rows = (name: string) => Float64Array.from(input(name).rows);
const floats = (name: string) => Float32Array.from(input(name).rows);
const { dim } = input('made');

it('the Fréchet distance is that over the matrix root of SciPy, and the kernel distance that of scikit-learn', () => {
  expect(finish(frechetDistance(rows('made'), rows('real'), dim))).toBeCloseTo(expected.frechet, 9);
  expect(finish(frechetInterval(rows('made'), rows('real'), dim)).value).toBeCloseTo(expected.frechet, 9);
  expect(finish(kernelInterval(rows('made'), rows('real'), dim)).value).toBeCloseTo(expected.kernel, 10);
});

it('precision, recall, density and coverage are those over the neighbours of scikit-learn', () => {
  const { k, ...values } = expected.neighbourhoods;
  const given = finish(neighbourhoods(floats('real'), floats('made'), dim, k));
  for (const name of ['precision', 'recall', 'density', 'coverage'] as const)
    expect(given[name].value, name).toBeCloseTo(values[name], 12);
});

it('MIND on a line is that of sorted values in NumPy, and the Inception score that over the entropies of SciPy', () => {
  expect(finish(mindInterval(rows('line.a'), rows('line.b'), 1)).value).toBeCloseTo(expected.mind, 10);
  const { value, deviation } = inceptionScore(rows('logits'), input('logits').dim);
  expect(value).toBeCloseTo(expected.inception.value, 10);
  expect(deviation).toBeCloseTo(expected.inception.deviation, 10);
});

it('C_T, its cells and its p are those over the clusters, neighbours and rank tests of scikit-learn and SciPy', async () => {
  const { cells, z, p, worst } = expected.memorisation;
  const given = await memorisation(floats('copied'), floats('heldOut'), floats('training'), dim, 3);
  const own = [...given.cells].sort((a, b) => a.z - b.z);
  expect(own.map(({ made, heldOut }) => [made, heldOut])).toEqual(cells.map(({ made, heldOut }) => [made, heldOut]));
  own.forEach((cell, i) => {
    expect(cell.z).toBeCloseTo(cells[i]!.z, 6);
  });
  expect(given.z).toBeCloseTo(z, 6);
  expect(Math.abs(given.p - p)).toBeLessThan(1e-7);
  expect(Math.abs(given.worst.p - worst)).toBeLessThan(1e-7);
});
