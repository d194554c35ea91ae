/** What is loaded before a command does anything. */

import fs from 'node:fs';
import { expect, it } from 'vitest';
import { commandNames, descriptions } from '../src/cli/command-names.ts';
import { loaders } from '../src/cli/commands.ts';
import { importClosure } from './support/imports.ts';

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

it.each(['clip/clip-worker', 'engine/engine-worker', 'engine/engine-host'])(
  'the thread %s loads no package before it works, and of this program only what it needs',
  (worker) => {
    const { files } = importClosure([`src/${worker}.ts`]);
    expect(packagesOf(`src/${worker}.ts`)).toEqual([]);
    expect(files.filter((file) => /graph.(ops|gradients|lowering)\.ts$|recipe.schema\.ts$/.test(file))).toEqual([]);
  },
);
