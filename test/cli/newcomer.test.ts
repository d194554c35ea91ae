/** What somebody who uses this for the first time does wrong, and is answered. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { runClipvq } from '../support/cli.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-newcomer-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

it('finds the pictures in order before it fetches anything', async () => {
  vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
  vi.stubEnv('XDG_CACHE_HOME', path.join(folder, 'cache'));
  fs.mkdirSync(path.join(folder, 'empty'));
  for (const [data, says] of [
    ['nowhere', /nowhere/],
    ['empty', /empty/],
  ] as const) {
    const { status, stderr } = await runClipvq(folder, 'train', '--data', data, '--run', 'run', '--clip', 'a/clip');
    expect([status, stderr]).toEqual([2, expect.stringMatching(says)]);
    expect(stderr).not.toContain('a/clip');
  }
});
