/** A folder is there whole or not at all, and takes the place of nothing. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { assertFreeFolder, makeWholeFolder } from './new-folder.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-folder-'));
afterAll(() => fs.rmSync(root, { recursive: true }));
const at = (...names: string[]) => path.join(root, ...names);

it('refuses a file and a folder that holds something', () => {
  fs.writeFileSync(at('file'), 'words');
  expect(() => assertFreeFolder(at('file'), 'the model')).toThrow(/file is a file: choose a new folder for the model/);
  expect(() => assertFreeFolder(root, 'the site')).toThrow(/is not empty: choose a new folder for the site/);
  expect(() => assertFreeFolder(at('new'), 'the site')).not.toThrow();
});

it('leaves nothing behind, removes what killed processes have left, and spares what came meanwhile', async () => {
  // No process has the largest number there is.
  fs.mkdirSync(at('made.4194304.tmp'));
  const failing = () => {
    throw new Error('no');
  };
  await expect(makeWholeFolder(at('made'), failing)).rejects.toThrow('no');
  expect(fs.readdirSync(root)).toEqual(['file']);

  fs.mkdirSync(at('made'));
  await makeWholeFolder(at('made'), (building) => fs.writeFileSync(path.join(building, 'a'), 'whole'));
  expect(fs.readdirSync(root).sort()).toEqual(['file', 'made']);
  expect(fs.readFileSync(at('made', 'a'), 'utf8')).toBe('whole');

  const late = makeWholeFolder(at('other'), () => {
    fs.mkdirSync(at('other'));
    fs.writeFileSync(at('other', 'theirs'), 'words');
  });
  await expect(late).rejects.toThrow(/^Cannot write .*other: /);
  expect(fs.readdirSync(at('other'))).toEqual(['theirs']);
});
