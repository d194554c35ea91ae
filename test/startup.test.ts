/** What is loaded before a command does anything. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import process from 'node:process';
import { expect, it } from 'vitest';
import { commandNames, descriptions } from '../src/cli/command-names.ts';
import { loaders } from '../src/cli/commands.ts';
import { importClosure } from './support/imports.ts';
import { skipped } from './support/skip.ts';

/** Packages that are large or native: they are loaded by the work, not by `--help`. */
const HEAVY = [
  ...['onnxruntime-node', '@huggingface/transformers', 'sharp', 'undici', 'opentype.js'],
  ...['@dicebear/core', '@dicebear/collection', 'hyparquet', 'yauzl'],
];

/** Packages that are loaded with a file, without what is Node's own. */
const packagesOf = (file: string): readonly string[] =>
  [...importClosure([file]).packages.keys()].filter((name) => !name.startsWith('node:'));

const moduleOf = (name: string): string =>
  fs.existsSync(`src/cli/${name}.ts`) ? `src/cli/${name}.ts` : `src/cli/${name}/index.ts`;

it('the command line loads nothing but the parser of options before it knows the command', () => {
  expect(packagesOf('src/cli/main.ts')).toEqual(['commander']);
});

it.each(commandNames)('%s loads no heavy package before it works', (name) => {
  expect(packagesOf(moduleOf(name)).filter((one) => HEAVY.includes(one))).toEqual([]);
});

it('the list of commands describes each command as the command does', async () => {
  const loaded = await Promise.all(commandNames.map((name) => loaders[name]()));
  expect(loaded.map((command) => [command.name(), command.description()])).toEqual(
    commandNames.map((name) => [name, descriptions[name]]),
  );
});

it.each(['embedding/clip-worker', 'engine/engine-worker', 'engine/engine-host'])(
  'the thread %s loads no package before it works, and of this program only what it needs',
  (worker) => {
    const { files } = importClosure([`src/${worker}.ts`]);
    expect(packagesOf(`src/${worker}.ts`)).toEqual([]);
    expect(files.filter((file) => /graph.(ops|gradients|lowering)\.ts$|recipe.schema\.ts$/.test(file))).toEqual([]);
  },
);

it.skipIf(skipped(process.platform !== 'linux', 'what a cold drawing loads', 'only Linux lists it'))(
  'a picture of twice the side of the CLIP is embedded and written without the image library',
  () => {
    const program = `
      import fs from 'node:fs';
      import { openEmbedder } from './dist/embedding/embedder.js';
      import { encodePng } from './dist/data/pictures/png.js';
      const picture = { width: 128, height: 128, data: new Uint8Array(3 * 128 * 128) };
      const clip = await openEmbedder('models/faces/clip');
      await clip.embedImages([picture]);
      await encodePng(picture, {});
      const loaded = fs.readFileSync('/proc/self/maps', 'utf8');
      console.log(/onnxruntime/.test(loaded), /vips|sharp/.test(loaded));
      await clip.close();
    `;
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    expect(out.trim()).toBe('true false');
  },
);
