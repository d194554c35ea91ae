/** Records are found again, after a kill too, and a million of them weigh little. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RecordStore } from './record-store.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-records-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

const keyOf = (n: number): string => createHash('sha256').update(`${n}`).digest('hex').slice(0, 32);
const recordOf = (n: number, width: number): Uint8Array =>
  Uint8Array.from({ length: width }, (_, i) => (n * 31 + i) % 251);
const file = () => path.join(folder, 'cache', 'codes');

function add(store: RecordStore, numbers: readonly number[]): void {
  const records = new Uint8Array(numbers.length * store.width);
  numbers.forEach((n, i) => {
    records.set(recordOf(n, store.width), i * store.width);
  });
  store.append(numbers.map(keyOf), records);
}

function contents(store: RecordStore, n: number): Uint8Array | undefined {
  const slot = store.slotOf(keyOf(n));
  if (slot < 0) return undefined;
  const record = new Uint8Array(store.width);
  expect(store.read(slot, record, 0)).toBe(true);
  return record;
}

it('gives back what was added, whatever the order, with repetitions, over several openings', () => {
  const batches = fc.array(fc.array(fc.nat(200), { maxLength: 40 }), { minLength: 1, maxLength: 6 });
  let runs = 0;
  fc.assert(
    fc.property(batches, fc.integer({ min: 1, max: 9 }), (all, width) => {
      const where = path.join(folder, `${runs++}`);
      for (const batch of all) {
        const store = RecordStore.open(where, width);
        add(store, batch);
        store.close();
      }
      const store = RecordStore.open(where, width);
      const known = new Set(all.flat());
      expect(store.size).toBe(known.size);
      for (let n = 0; n <= 200; n++) expect(contents(store, n)).toEqual(known.has(n) ? recordOf(n, width) : undefined);
      store.close();
    }),
    { numRuns: 25 },
  );
});

describe('damage', () => {
  beforeEach(() => {
    const store = RecordStore.open(file(), 8);
    add(store, [0, 1, 2, 3]);
    store.close();
  });

  it('what a kill left half-written is cut off, and the rest kept', () => {
    const sizes = { index: fs.statSync(`${file()}.index`).size, data: fs.statSync(`${file()}.data`).size };
    for (const [kind, lost] of [
      ['index', 3],
      ['data', 5],
    ] as const) {
      fs.truncateSync(`${file()}.${kind}`, sizes[kind] - lost);
      const store = RecordStore.open(file(), 8);
      expect(store.size).toBe(3);
      expect(contents(store, 2)).toEqual(recordOf(2, 8));
      expect(contents(store, 3)).toBeUndefined();
      add(store, [3]);
      expect(contents(store, 3)).toEqual(recordOf(3, 8));
      store.close();
    }
  });

  it('any changed byte is found, and what it belongs to can be taken out and added anew', () => {
    const [index, data] = ['index', 'data'].map((kind) => fs.readFileSync(`${file()}.${kind}`)) as [Buffer, Buffer];
    for (let at = 0; at < index.length + data.length; at++) {
      const changed = { index: Buffer.from(index), data: Buffer.from(data) };
      const inIndex = at < index.length;
      const touched = inIndex ? changed.index : changed.data;
      touched[inIndex ? at : at - index.length]! ^= 1;
      fs.writeFileSync(`${file()}.index`, changed.index);
      fs.writeFileSync(`${file()}.data`, changed.data);
      const store = RecordStore.open(file(), 8);
      const slots = store.damaged();
      // A damaged header leaves nothing.
      const bad = inIndex ? Math.floor(at / 20) - 1 : Math.floor((at - index.length) / 8);
      expect([slots, store.lost]).toEqual(bad < 0 ? [[], 4] : [[bad], 0]);
      for (const slot of slots) expect(store.read(slot, new Uint8Array(8), 0)).toBe(false);
      store.drop(slots);
      expect(store.size).toBe(bad < 0 ? 0 : 3);
      for (const n of [0, 1, 2, 3])
        expect(contents(store, n)).toEqual(bad < 0 || n === bad ? undefined : recordOf(n, 8));
      add(store, [0, 1, 2, 3]);
      store.close();
      const again = RecordStore.open(file(), 8);
      expect([again.size, again.lost, again.damaged()]).toEqual([4, 0, []]);
      for (const n of [0, 1, 2, 3]) expect(contents(again, n)).toEqual(recordOf(n, 8));
      again.close();
    }
  });

  it('counts records that the index promised and that are not there', () => {
    fs.truncateSync(`${file()}.data`, 9);
    const store = RecordStore.open(file(), 8);
    expect([store.size, store.lost]).toEqual([1, 3]);
    store.close();
  });

  it('a store of another width is begun afresh', () => {
    const store = RecordStore.open(file(), 16);
    expect(store.size).toBe(0);
    add(store, [9]);
    expect(contents(store, 9)).toEqual(recordOf(9, 16));
    store.close();
    expect(() => contents(store, 9)).toThrow(/is closed/);
  });
});

it('keeps at most 60 bytes of memory a record at a million records, however wide they are', () => {
  const million = 1_000_000;
  const width = 64;
  // Written as the store writes, but in one piece: the test is of reading.
  const entries = Buffer.alloc((million + 1) * 20);
  RecordStore.open(file(), width).close();
  fs.readFileSync(`${file()}.index`).copy(entries);
  for (let n = 0; n < million; n++) {
    // Keys need only be spread: Weyl sequences instead of hashes.
    entries.writeUInt32LE(Math.imul(n, 0x9e3779b1) >>> 0, (n + 1) * 20);
    entries.writeUInt32LE(n, (n + 1) * 20 + 4);
  }
  fs.writeFileSync(`${file()}.index`, entries);
  const data = fs.openSync(`${file()}.data`, 'w');
  fs.ftruncateSync(data, million * width);
  fs.closeSync(data);
  const used = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  const store = RecordStore.open(file(), width);
  // The index file, read at once, may still wait to be collected: 20 bytes of the 60.
  expect(store.size).toBe(million);
  expect(used() - before).toBeLessThan(60 * million);
  const key = Buffer.alloc(16);
  for (const n of [0, 1, 77_777, million - 1]) {
    key.writeUInt32LE(Math.imul(n, 0x9e3779b1) >>> 0, 0);
    key.writeUInt32LE(n, 4);
    expect(store.slotOf(key.toString('hex'))).toBe(n);
  }
  store.close();
});
