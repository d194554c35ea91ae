import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ALONE } from '../mpi/ranks.ts';
import { otherProgram, programHash } from './same-program.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-program-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

it('a rank with another version of the program is named', async () => {
  const hashes = ['one', 'same', 'other'].map((name, i) => {
    const place = path.join(folder, name);
    fs.mkdirSync(path.join(place, 'nn'), { recursive: true });
    fs.writeFileSync(path.join(place, 'nn', 'linear.js'), i === 2 ? 'x - y' : 'x + y');
    fs.writeFileSync(path.join(place, 'nn', 'linear.js.map'), name);
    return programHash(place);
  });
  const ranks = { ...ALONE, size: 3, gather: async () => hashes.map((hash) => new TextEncoder().encode(hash)) };
  expect(await otherProgram(ranks, hashes[0]!, (rank) => `Rank ${rank}`)).toMatch(
    /^Rank 2 runs another version .* than rank 0/,
  );
  expect(await otherProgram(ALONE, hashes[0]!, String)).toBeUndefined();
});
