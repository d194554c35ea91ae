import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { momentsOf } from '../embedding/correction.ts';
import { normals } from '../random/noise.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { RunDirectory } from './directory.ts';
import { hasStatistics, readStatistics, saveStatistics } from './statistics.ts';

const folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-statistics-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const run = RunDirectory.create(path.join(folder, 'run'), {
  seed: 0,
  data: 'faces',
  clip: 'compact',
  recipe: makeRecipe('nano'),
});

it('are asked for in one line where there are none', () => {
  expect(hasStatistics(run, 'a')).toBe(false);
  expect(() => readStatistics(run, 'shrink', 4)).toThrow(UserError);
  expect(() => readStatistics(run, 'shrink', 4)).toThrow(
    /^.* has no statistics .* correction shrink needs: choose none/,
  );
});

it('come back as they were kept, and belong to the pictures and models that they are of', () => {
  const rows = (stream: string) => Float32Array.from(normals({ seed: 1, stream, step: 0 }, 0, 40));
  const statistics = { images: momentsOf(rows('i'), 4), texts: momentsOf(rows('t'), 4), anchors: rows('a') };
  saveStatistics(run, statistics, 'a');
  expect(readStatistics(run, 'mean-shift', 4)).toEqual(statistics);
  expect(hasStatistics(run, 'a')).toBe(true);
  expect(hasStatistics(run, 'b')).toBe(false);
  expect(() => readStatistics(run, 'mean-shift', 8)).toThrow(/no statistics of embeddings of 8 numbers/);
});
