/** Pictures are written as they are finished. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Interrupted, UserError } from '../base/errors.ts';
import type { GeneratedImage } from '../generation/generator.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { generateCommand, unknownLines, type Written, writePictures } from './generate.ts';
import { pictureWriter } from './picture-files.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-generate-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const { promptPrefix: _prefix, nullEmbedding: _embedding, ...settings } = makeRecipe('nano').sampling;
const picture = (prompt: string, seed: number): GeneratedImage => ({
  image: { width: 1, height: 1, data: Uint8Array.of(seed, 0, 0) },
  tokens: Int32Array.of(0),
  prompt,
  negative: undefined,
  seed,
  clipScore: 0.5,
  meanClipScore: 0.5,
  settings,
  passes: { conditional: 1, unconditional: 0 },
});
const generator = {
  hash: 'model',
  toPng: async ({ prompt, seed }: GeneratedImage) => Buffer.from(`${prompt} ${seed}`),
};
const names = () => fs.readdirSync(folder);

function write(pictures: AsyncIterable<GeneratedImage>, onWritten: (written: Written) => void = () => {}) {
  return writePictures(
    { pictures, generator, write: pictureWriter(folder, 300, () => {}), total: 300, out: folder },
    onWritten,
  );
}

it('writes and reports each picture before the next one is wanted', async () => {
  const reported: number[] = [];
  async function* one() {
    for (let seed = 0; seed < 5; seed++) {
      expect([names().length, reported.length]).toEqual([seed, seed]);
      yield picture('a man', seed);
    }
  }
  await write(one(), ({ seed }) => reported.push(seed));
  expect(names()).toHaveLength(5);
});

it('leaves what was finished when it is stopped, and says how much that is', async () => {
  async function* stopped() {
    for (let seed = 0; seed < 93; seed++) yield picture('a man', seed);
    throw new Interrupted('Stopped');
  }
  const stopping = write(stopped());
  await expect(stopping).rejects.toThrow(Interrupted);
  await expect(stopping).rejects.toThrow(/93 of 300 pictures are written/);
  expect(names()).toHaveLength(93);
});

it('passes other errors on, and keeps what was finished', async () => {
  async function* broken() {
    yield picture('a man', 0);
    throw new UserError('The denoiser predicts no valid probabilities');
  }
  await expect(write(broken())).rejects.toThrow(/no valid probabilities/);
  expect(names()).toHaveLength(1);
});

/** What parsing the command's words ends with. */
async function ending(...words: string[]): Promise<string> {
  const command = generateCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return command.parseAsync(words, { from: 'user' }).then(
    () => 'done',
    (error: unknown) => (error instanceof Error ? error.message.replace(/\s+/g, ' ') : String(error)),
  );
}

it.each([
  [['--modle', 'run', 'x'], /unknown option '--modle'.*Did you mean --model\?/],
  [['--model', 'run', '--best-of', '0', 'x'], /at least 1/],
  [['--model', 'run', '-n', '0', 'x'], /at least 1/],
  [['--model', 'run', '--seed', '-1', 'x'], /--seed/],
  [['--model', 'run', '--seed', '99999999999999999999', 'x'], /--seed/],
  [['--model', 'run', '--sampler', 'best', 'x'], /ancestral, fast, halton/],
  [['--model', 'run', '--remasking', '2', 'x'], /--remasking/],
  [['--model', 'nowhere', '--out', 'x.jpg', 'x'], /as PNG/],
])('refuses %j in one line', async (words, expected) => {
  expect(await ending(...words)).toMatch(expected);
});

it('has an option for every sampling setting, with the samplers that use it and its name in programs', () => {
  const help = generateCommand()
    .configureOutput({ getOutHelpWidth: () => 1000 })
    .helpInformation();
  for (const setting of Object.keys(settings)) {
    const option = setting === 'guidanceScale' ? 'guidance' : setting.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
    expect(help).toContain(`--${option} <`);
  }
  expect(help).toMatch(/--guidance <n> .*guidanceScale in recipes and programs/);
  expect(help).toMatch(/--remasking <n> .*used by remask;/);
  expect(help).toMatch(/--placement <name> .*used by purity, remask, strided;/);
  expect(help).toMatch(/-n, --count <n> /);
  expect(help).not.toContain('--number');
});

it('names the words of a prompt that the CLIP has not learned, with the share of the tokens that it has', () => {
  const knowledge = [
    { share: 1, unknown: [] },
    { share: 0.4, unknown: ['zebra', '猫'] },
  ];
  expect(unknownLines(['a hat', 'a zebra 猫'], knowledge)).toEqual([
    expect.stringMatching(/^"a zebra 猫": .*40 % of its tokens; it has not learned zebra, 猫$/),
  ]);
  expect(unknownLines(['a zebra'], undefined)).toEqual([]);
});
