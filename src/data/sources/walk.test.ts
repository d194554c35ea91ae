/** What is found below a folder, whatever its names and links. */

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { skipped } from '../../../test/support/skip.ts';
import { makeRecipe } from '../../recipe/recipe.ts';
import { RunDirectory } from '../../run/directory.ts';
import { walkFolder } from './walk.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-walk-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function put(name: string, text = 'x'): void {
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  fs.writeFileSync(path.join(folder, name), text);
}

const walked = async (where = folder) => {
  const { files, rejected } = await walkFolder(where);
  return { names: files.map(({ name }) => name), files, rejected };
};

it.skipIf(skipped(process.platform !== 'linux', 'names that are no UTF-8', 'only Linux allows them'))(
  'finds files whose names are no UTF-8, each by a name of its own',
  async () => {
    const odd = [Buffer.from([0xff, 0xfe]), Buffer.from([0xff, 0xfd])];
    for (const bytes of odd) fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), bytes]), bytes);
    const { names, files } = await walked();
    expect(names).toEqual(['\\xff\\xfd', '\\xff\\xfe']);
    expect(files.map(({ file }) => fs.readFileSync(file))).toEqual([odd[1], odd[0]]);
  },
);

it("follows the links of a snapshot in a hub's cache to its blobs, and lists a blob once", async () => {
  put('data/blobs/0123', 'bytes');
  put('data/blobs/unused', 'bytes');
  put('outside.png');
  fs.mkdirSync(path.join(folder, 'data/snapshots/rev/train'), { recursive: true });
  const snapshot = path.join(folder, 'data/snapshots/rev');
  fs.symlinkSync('../../../blobs/0123', path.join(snapshot, 'train/a.parquet'));
  fs.symlinkSync('../../../outside.png', path.join(snapshot, 'b.png'));
  for (const [where, prefix] of [
    [snapshot, ''],
    [path.join(snapshot, 'train'), 'train/'],
    [path.join(folder, 'data'), 'data/snapshots/rev/'],
  ] as const) {
    const { names } = await walked(where);
    expect(names).toEqual([prefix === 'train/' ? 'a.parquet' : `${prefix.replace('data/', '')}train/a.parquet`]);
  }
  expect((await walked(snapshot)).rejected).toEqual([
    { path: 'b.png', reason: 'symbolic link out of the folder: copy here what it leads to, or name that place' },
  ]);
});

it('leaves out runs of this program, inside the folder and around it', async () => {
  put('a.png');
  put('other/run.json', '{"format": "of somebody else"}');
  const settings = { seed: 0, data: '.', clip: 'compact', recipe: makeRecipe('nano') };
  RunDirectory.create(path.join(folder, 'run'), settings);
  put('run/validation/1.png');
  const { names, rejected } = await walked();
  expect(names).toEqual(['a.png', 'other/run.json']);
  expect(rejected).toEqual([{ path: 'run', reason: 'a run of this program, which holds no training pictures' }]);
  RunDirectory.create(folder, settings);
  put('cache/pixels.data');
  put('tokenizer/model.safetensors');
  expect((await walked()).names).toEqual(['a.png', 'other/run.json']);
});
