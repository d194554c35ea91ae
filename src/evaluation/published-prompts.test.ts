/** Prompts from a server of the test's own: fetched once, and only what has the checksum. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listenOnLoopback } from '../../test/support/loopback.ts';
import { facePromptsFile } from './published-prompts.ts';

const text = 'a person with a kite\nan astronaut';
let asked = 0;
const server = http.createServer((_, response) => {
  asked++;
  response.end(text);
});
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'prompts-'));
let url = '';
beforeAll(async () => {
  url = `${await listenOnLoopback(server)}/test.txt`;
});
afterAll(() => {
  server.close();
  fs.rmSync(folder, { recursive: true });
});
const published = (content: string) => ({
  url,
  sha256: createHash('sha256').update(content).digest('hex'),
  bytes: content.length,
});

it('published prompts are fetched once into the cache, and not at all offline', async () => {
  const source = { published: published(text), cache: path.join(folder, 'one') };
  await expect(facePromptsFile({ ...source, offline: true })).rejects.toThrow(
    /prompts lacks clip2latent-64\.txt, and nothing may be fetched: run once without/,
  );
  expect(asked).toBe(0);
  const file = await facePromptsFile(source);
  expect(fs.readFileSync(file, 'utf8')).toBe(text);
  expect(await facePromptsFile({ ...source, offline: true })).toBe(file);
  expect(asked).toBe(1);
});

it('another file under the same address is refused and not kept', async () => {
  const source = { published: published(text.replace('kite', 'book')), cache: path.join(folder, 'other') };
  await expect(facePromptsFile(source)).rejects.toThrow(/test\.txt is not the expected file/);
  await expect(facePromptsFile({ ...source, offline: true })).rejects.toThrow(/lacks/);
});
