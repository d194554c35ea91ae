import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { makeRecipe } from '../../recipe/recipe.ts';
import type { ImageSource } from '../sources/source.ts';
import { openReader } from './reader.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-reader-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Pictures of one colour, their number; `until` says when each is decoded. */
const source = (until: (row: number) => Promise<void>): ImageSource => ({
  name: 'colours',
  size: 6,
  id: String,
  contentId: (row) => row.toString(16).padStart(32, '0'),
  async read(row, side) {
    await until(row);
    return { width: side, height: side, data: new Uint8Array(3 * side * side).fill(row) };
  },
});

function read(file: string, until: (row: number) => Promise<void>) {
  const options = { side: 2, seed: 0, pictures: makeRecipe('nano').pictures, file: path.join(folder, file) };
  const reader = openReader({ source: source(until), ...options });
  const picks = (...rows: number[]) => reader.read(rows.map((row) => ({ row, view: 0 })));
  return { reader, picks };
}

it('keeps what overlapping reads decode in the order of their calls', async () => {
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const { reader, picks } = read('order', (row) => (row < 2 ? gate : Promise.resolve()));
  const all = [picks(0, 1), picks(3, 2), picks(1, 4)];
  await new Promise((turn) => setImmediate(turn));
  open();
  const bytes = await Promise.all(all);
  reader.close();
  expect(bytes.map((each) => [each[0], each[12]])).toEqual([
    [0, 1],
    [3, 2],
    [1, 4],
  ]);
  const kept = fs.readFileSync(path.join(folder, 'order.data'));
  expect([0, 1, 2, 3, 4].map((slot) => kept[slot * 12])).toEqual([0, 1, 3, 2, 4]);
});

it('reports a read that fails to its caller alone, and goes on', async () => {
  const { reader, picks } = read('failing', async (row) => {
    if (row === 5) throw new Error('no such colour');
  });
  const [good, bad, after] = await Promise.allSettled([picks(0), picks(5, 1), picks(2)]);
  expect(bad).toMatchObject({ status: 'rejected', reason: { message: 'no such colour' } });
  expect([good, after].map((each) => each?.status)).toEqual(['fulfilled', 'fulfilled']);
  expect((await picks(2))[0]).toBe(2);
  reader.close();
});
