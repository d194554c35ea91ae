/** What a tuning keeps, and which prompts it chooses by. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tuneCommand } from './tune.ts';
import { TuneRecord } from './tune-record.ts';
import { halves } from './tune-scorer.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tune-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const settings = { guidanceScale: 2, truncation: 0.9, steps: 5 };

it('what is measured is found again, after a line that a kill has cut off', () => {
  const file = path.join(folder, 'tune.jsonl');
  const record = new TuneRecord(file);
  record.add('a', settings, Float64Array.of(0.1, 1 / 3));
  record.add('b', settings, Float64Array.of(1));
  fs.appendFileSync(file, '{"key":"c","sco');
  const again = new TuneRecord(file);
  expect(again.get('a')).toEqual(Float64Array.of(0.1, 1 / 3));
  expect(again.get('c')).toBeUndefined();
  again.add('c', settings, Float64Array.of(2));
  expect(new TuneRecord(file).get('b')).toEqual(Float64Array.of(1));
  expect(new TuneRecord(file).get('c')).toEqual(Float64Array.of(2));
});

it('the choice is made by other prompts than the sweep', () => {
  expect(halves(['a', 'b', 'c'], 3, 2)).toEqual(['a', 'b', 'a', 'c', 'c']);
  expect(halves(['a'], 2, 1)).toEqual(['a', 'a', 'a']);
});

it.each([
  ['--steps', '4.5'],
  ['--truncation', '0'],
  ['--truncation', '1.1'],
  ['--guidance', '1,,2'],
])('refuses %s %s', async (option, value) => {
  const command = tuneCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  await expect(command.parseAsync(['--model', folder, option, value], { from: 'user' })).rejects.toThrow(
    /give numbers/,
  );
});
