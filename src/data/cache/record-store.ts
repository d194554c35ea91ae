/**
 * Records of one width on the disk, found by what they were computed from. Two files: the records, and an index of keys
 * and checksums. What a kill leaves half-written is cut off when the store is opened again, and what has been damaged
 * is found by `damaged` and taken out by `drop`. Reads are positional and served from the system's page cache; in
 * memory there are only the keys (`key-table.ts`).
 */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { makeFolder } from '../../files/atomic.ts';
import { crc32 } from '../../files/crc32.ts';
import { fileError } from '../../files/file-errors.ts';
import { readFully, writeFully } from '../../files/full-io.ts';
import { openWith } from '../../files/regular-file.ts';
import { KEY, KeyTable } from './key-table.ts';

/** An index entry: key, and CRC-32 of key and record. The first entry says what the store is. */
const ENTRY = KEY + 4;
const MAGIC = 'clipvq records 2';
/** Bytes read at once when all records are checked. */
const PIECE = 1 << 22;

/** An open store; it is closed by `close`. */
export class RecordStore {
  #lost = 0;
  #isOpen = true;
  readonly #keys = new KeyTable();

  private constructor(
    private readonly file: string,
    /** Bytes of a record. */
    readonly width: number,
    private readonly index: number,
    private readonly data: number,
  ) {}

  /**
   * Open the store `<file>.index` and `<file>.data`, or begin it.
   * @throws UserError if the disk refuses.
   */
  static open(file: string, width: number): RecordStore {
    makeFolder(path.dirname(file));
    try {
      const index = openAnyway(`${file}.index`);
      const data = openAnyway(`${file}.data`);
      const store = new RecordStore(file, width, index, data);
      store.#load();
      return store;
    } catch (error) {
      throw error instanceof UserError ? error : fileError('open', file, error);
    }
  }

  /** Number of records. */
  get size(): number {
    return this.#keys.size;
  }

  /** Records that the index promised when the store was opened, and that were not there. */
  get lost(): number {
    return this.#lost;
  }

  /** Where the record of a key (32 hex digits) lies, or −1. */
  slotOf(key: string): number {
    return this.#keys.slotOf(Buffer.from(key, 'hex'));
  }

  /**
   * Add records [keys.length, width]. Keys that are there already are not added again.
   * @throws UserError if the disk refuses, such as when it is full; the store then holds what it held.
   */
  append(keys: readonly string[], records: Uint8Array): void {
    this.#assertOpen();
    if (records.length !== keys.length * this.width)
      throw new RangeError(`${keys.length} records of ${this.width} bytes are not ${records.length} bytes`);
    const fresh = [...new Map(keys.map((key, i) => [key, i]))].filter(([key]) => this.slotOf(key) < 0);
    if (fresh.length === 0) return;
    const rows = new Uint8Array(fresh.length * this.width);
    const entries = Buffer.alloc(fresh.length * ENTRY);
    fresh.forEach(([key, from], to) => {
      const record = records.subarray(from * this.width, (from + 1) * this.width);
      rows.set(record, to * this.width);
      entries.write(key, to * ENTRY, 'hex');
      entries.writeUInt32LE(crc32(record, crc32(entries.subarray(to * ENTRY, to * ENTRY + KEY))), to * ENTRY + KEY);
    });
    try {
      // The record first: an index entry promises that its record is there.
      writeFully(this.data, rows, this.size * this.width);
      writeFully(this.index, entries, (this.size + 1) * ENTRY);
    } catch (error) {
      throw fileError('write', `${this.file}.data`, error);
    }
    this.#enter(entries);
  }

  /**
   * Copy record `slot` to `target` at `offset`.
   * @returns whether it is what was written; what was copied is of no use where it is not.
   */
  read(slot: number, target: Uint8Array, offset: number): boolean {
    this.#assertOpen();
    const record = target.subarray(offset, offset + this.width);
    return readFully(this.data, record, slot * this.width) === this.width && this.#isWhole(slot, record);
  }

  /**
   * Reads everything once, a few MiB at a time, and returns the slots whose records are not what was written, in order.
   */
  damaged(): number[] {
    this.#assertOpen();
    const slots: number[] = [];
    const each = Math.max(1, Math.floor(PIECE / this.width));
    const piece = new Uint8Array(Math.min(each, this.size) * this.width);
    for (let first = 0; first < this.size; first += each) {
      const count = Math.min(each, this.size - first);
      readAll(this.data, piece.subarray(0, count * this.width), first * this.width);
      for (let i = 0; i < count; i++)
        if (!this.#isWhole(first + i, piece.subarray(i * this.width, (i + 1) * this.width))) slots.push(first + i);
    }
    return slots;
  }

  /**
   * Take records out, so that they can be added anew. The last ones move into the gaps: slots that were looked up
   * before are not valid afterwards.
   * @throws UserError if the disk refuses.
   */
  drop(slots: readonly number[]): void {
    this.#assertOpen();
    if (slots.length === 0) return;
    try {
      for (const slot of [...slots].sort((a, b) => b - a)) this.#fill(slot);
      fs.ftruncateSync(this.index, (this.size + 1) * ENTRY);
      fs.ftruncateSync(this.data, this.size * this.width);
    } catch (error) {
      throw fileError('write', `${this.file}.data`, error);
    } finally {
      this.#keys.rebuild();
    }
  }

  /** Make what was added outlast a power cut. */
  flush(): void {
    fs.fsyncSync(this.data);
    fs.fsyncSync(this.index);
  }

  /** Nothing can be read or added afterwards: the system may give the file's number to another file. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    fs.closeSync(this.index);
    fs.closeSync(this.data);
  }

  /**
   * Move the last record to `slot`, which need not be whole; a kill leaves it damaged as before, or the last one twice.
   */
  #fill(slot: number): void {
    const last = this.size - 1;
    if (slot < last) {
      const record = Buffer.alloc(this.width);
      readAll(this.data, record, last * this.width);
      const entry = Buffer.alloc(ENTRY);
      entry.set(this.#keys.keyOf(last));
      entry.writeUInt32LE(this.#keys.checksumOf(last), KEY);
      writeFully(this.data, record, slot * this.width);
      writeFully(this.index, entry, (slot + 1) * ENTRY);
    }
    this.#keys.replaceByLast(slot);
  }

  #isWhole(slot: number, record: Uint8Array): boolean {
    return crc32(record, crc32(this.#keys.keyOf(slot))) === this.#keys.checksumOf(slot);
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new Error(`${this.file} is closed`);
  }

  /** Read the index; a store of another kind or width is begun afresh. */
  #load(): void {
    const header = Buffer.alloc(ENTRY);
    header.write(MAGIC, 'latin1');
    header.writeUInt32LE(this.width, KEY);
    const found = Buffer.alloc(ENTRY);
    const isOurs = readFully(this.index, found, 0) === ENTRY && found.equals(header);
    const promised = Math.max(0, Math.floor(fs.fstatSync(this.index).size / ENTRY) - 1);
    if (!isOurs) {
      fs.ftruncateSync(this.index, 0);
      writeFully(this.index, header, 0);
    }
    const whole = isOurs ? Math.min(promised, Math.floor(fs.fstatSync(this.data).size / this.width)) : 0;
    this.#lost = promised - whole;
    const entries = Buffer.alloc(whole * ENTRY);
    readAll(this.index, entries, ENTRY);
    this.#enter(entries);
    fs.ftruncateSync(this.index, (this.size + 1) * ENTRY);
    fs.ftruncateSync(this.data, this.size * this.width);
  }

  #enter(entries: Buffer): void {
    const count = entries.length / ENTRY;
    this.#keys.reserve(count);
    for (let i = 0; i < count; i++)
      this.#keys.add(entries.subarray(i * ENTRY, i * ENTRY + KEY), entries.readUInt32LE(i * ENTRY + KEY));
  }
}

/** Open for reading and writing at any place, made if it is not there. */
const openAnyway = (file: string): number => openWith(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644);

function readAll(file: number, bytes: Uint8Array, position: number): void {
  if (readFully(file, bytes, position) < bytes.length) throw new Error('shorter than a moment ago');
}
