/** Pictures to measure a run on are drawn at random, and are not those it has learned from. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tinyStages } from '../../../test/support/tiny-stages.ts';
import { encodePng } from '../../data/pictures/png.ts';
import { openSample } from '../../data/sources/sample.ts';
import { integers } from '../../random/noise.ts';
import { changedRecipe } from '../../recipe/recipe.ts';
import { RunDirectory } from '../../run/directory.ts';
import { heldApart, holdingOut } from './held-out.ts';
import { openMeasuring } from './measuring.ts';
import { openPictures, readyPictures } from './pictures.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-measuring-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const data = path.join(folder, 'pictures');
const PICTURES = 60;
beforeAll(async () => {
  fs.mkdirSync(data);
  for (let n = 0; n < PICTURES; n++) {
    const bytes = Uint8Array.from(integers({ seed: n, stream: 'pixels', step: 0 }, 0, 16 * 16 * 3, 256));
    const name = path.join(data, `${String(n).padStart(2, '0')}.png`);
    fs.writeFileSync(name, await encodePng({ width: 16, height: 16, data: bytes }, {}));
  }
});

const watch = {
  signal: new AbortController().signal,
  display: { step() {}, count: () => () => {}, note() {} },
};
const rejected: string[] = [];
const options = { ...watch, onRejected: (one: { path: string }) => rejected.push(one.path) };
const run = (name: string, share: number) => {
  const recipe = changedRecipe(tinyStages, { 'pictures.holdOut': `${share}` });
  return RunDirectory.create(path.join(folder, name), { seed: 3, data, clip: folder, recipe });
};
const namesOf = ({ size, id }: { readonly size: number; id(index: number): string }) =>
  Array.from({ length: size }, (_, i) => id(i));

it('holds out a share of the pictures by content, whatever they are called and whatever joins them', async () => {
  const some = run('some', 0.25);
  const { source, heldOut } = await openPictures(some.settings, watch);
  expect(source.size + heldOut.size).toBe(PICTURES);
  // Binomial with n = 60 and p = 1/4: beyond these with a probability of 1e-5.
  expect(heldOut.size).toBeGreaterThan(3);
  expect(heldOut.size).toBeLessThan(31);
  const half = heldApart(heldOut, 0.125);
  expect(half.heldOut.size).toBeLessThan(heldOut.size);
  expect(namesOf(source)).not.toContain(heldOut.id(0));

  const name = heldOut.id(0);
  fs.renameSync(path.join(data, name), path.join(data, 'renamed.png'));
  const later = await openPictures(some.settings, watch);
  expect(namesOf(later.heldOut)).toContain('renamed.png');
  fs.renameSync(path.join(data, 'renamed.png'), path.join(data, name));
});

it('measures on what was held out, by the inventory of the run', async () => {
  const some = run('measured', 0.25);
  readyPictures(some, await openPictures(some.settings, watch), watch).reader.close();
  const { source, about } = await openMeasuring(some, undefined, { ...options, count: 5 });
  const { heldOut } = await openPictures(some.settings, watch);
  expect([source.size, about]).toEqual([
    5,
    expect.stringContaining(`5 of the ${heldOut.size} pictures that the run has held out`),
  ]);
  for (const name of namesOf(source)) expect(namesOf(heldOut)).toContain(name);
  // The run's own folder by its name is the same.
  const named = await openMeasuring(some, data, { ...options, count: 5 });
  expect(namesOf(named.source)).toEqual(namesOf(source));
});

it('says that a model has learned from the pictures where none are held out', async () => {
  const { source, about } = await openMeasuring(run('none', 0), undefined, { ...options, count: 100 });
  expect(source.size).toBe(PICTURES);
  expect(about).toMatch(/has learned from these.*pictures\.holdOut/);
});

it('draws a sample at random, and looks at no more than it shows', async () => {
  let seen = 0;
  const open = (seed: number) =>
    openSample(data, { count: 6, seed }, { ...options, faces: { seed: 0, count: 1, offset: 0 }, onLine: () => seen++ });
  const [one, same, other] = [namesOf(await open(1)), namesOf(await open(1)), namesOf(await open(2))];
  expect(seen).toBe(18);
  expect(one).toHaveLength(6);
  expect(same).toEqual(one);
  expect(other).not.toEqual(one);
  expect([...one].sort()).toEqual(one);
});

it('goes on looking until enough can be used, and names what cannot', async () => {
  fs.writeFileSync(path.join(data, 'broken.png'), 'no picture');
  rejected.length = 0;
  const faces = { seed: 0, count: 1, offset: 0 };
  const all = await openSample(data, { count: PICTURES, seed: 1 }, { ...options, faces });
  fs.rmSync(path.join(data, 'broken.png'));
  expect(all.size).toBe(PICTURES);
  expect(rejected).toEqual(['broken.png']);
});

it('holds out a share in new runs on files, unless another is set, and none of what is drawn', () => {
  expect(holdingOut('photos')).toEqual({ 'pictures.holdOut': '0.05' });
  expect(holdingOut('photos', { 'pictures.holdOut': '0' })).toEqual({ 'pictures.holdOut': '0' });
  expect(holdingOut('faces', { images: '5' })).toEqual({ images: '5' });
});
