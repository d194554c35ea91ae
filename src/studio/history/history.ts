/**
 * Pictures that were made, with what is known of them: a folder of PNG files, and a log of facts of which the last
 * entry of a picture counts. What a kill leaves half-written is left out at the next start.
 */

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { makeFolder, writeFileAtomic } from '../../files/atomic.ts';
import { appendRegular, readRegular, readText } from '../../files/regular-file.ts';
import type { Picture, PictureChange, PictureList } from '../protocol.ts';
import { Missing } from '../refusals.ts';

const value = z.union([z.string(), z.number(), z.boolean()]);
const pictureSchema = z.object({
  id: z.string().regex(/^[0-9a-z]{4,40}$/),
  kind: z.enum(['create', 'vary', 'interpolate', 'repaint', 'import']),
  prompt: z.string(),
  negative: z.string().optional(),
  seed: z.number().optional(),
  settings: z.record(z.string(), value).optional(),
  model: z.string().optional(),
  clipScore: z.number().optional(),
  bestOf: z.number(),
  width: z.number(),
  height: z.number(),
  rating: z.number(),
  isKept: z.boolean(),
  created: z.string(),
  job: z.string().optional(),
  parents: z.array(z.string()),
  strength: z.number().optional(),
  mask: z.string().optional(),
});
const entrySchema = z.union([pictureSchema, z.object({ id: z.string(), gone: z.literal(true) })]);

/** What is known of a picture before it has an id. */
export type NewPicture = Omit<Picture, 'id' | 'created' | 'rating' | 'isKept'>;

export interface Search {
  /** Words that the prompt holds, all of them, in any case. */
  readonly search?: string | undefined;
  /** At least so many stars. */
  readonly rating?: number | undefined;
  readonly kept?: boolean | undefined;
  readonly kind?: string | undefined;
  readonly job?: string | undefined;
  /** Only those that are older than this one. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** No picture of the history is larger. */
const MOST_BYTES = 2 ** 28;
/** Entries beyond those of the pictures before the log is written anew. */
const SLACK = 1000;

/** The pictures that were drawn or imported, in a folder: each a PNG, and a log with what is known of all. */
export class History {
  readonly #folder: string;
  /** The oldest first. */
  readonly #pictures = new Map<string, Picture>();
  #entries = 0;

  /** Read the history of a folder, which is made if it is not there. */
  constructor(folder: string) {
    this.#folder = folder;
    makeFolder(this.#files);
    if (!fs.existsSync(this.#log)) return;
    const text = readText(this.#log);
    for (const line of text.split('\n')) this.#read(line);
    if (!text.endsWith('\n')) appendRegular(this.#log, '\n');
    if (this.#entries > this.#pictures.size + SLACK) this.#compact();
  }

  get size(): number {
    return this.#pictures.size;
  }

  /** @throws Missing if it is gone. */
  get(id: string): Picture {
    const found = this.#pictures.get(id);
    if (!found) throw new Missing(`There is no picture ${id}: it may have been deleted`);
    return found;
  }

  /** The bytes of its PNG file. @throws Missing if it is gone. */
  file(id: string): Buffer {
    this.get(id);
    const file = this.#file(id);
    if (!fs.existsSync(file)) throw new Missing(`The file of picture ${id} is gone`);
    return readRegular(file, MOST_BYTES);
  }

  /** Whether a picture is there with exactly these bytes. */
  holds(id: string, png: Uint8Array): boolean {
    return this.#pictures.has(id) && fs.existsSync(this.#file(id)) && this.file(id).equals(png);
  }

  add(facts: NewPicture, png: Uint8Array): Picture {
    const id = `${Date.now().toString(36)}${randomBytes(5).toString('hex')}`;
    const picture = { ...facts, id, created: new Date().toISOString(), rating: 0, isKept: false };
    // The file first: a picture of the log has one.
    writeFileAtomic(this.#file(id), png);
    this.#write(picture);
    this.#pictures.set(id, picture);
    return picture;
  }

  /** @throws Missing if it is gone. */
  change(id: string, change: PictureChange): Picture {
    const picture = { ...this.get(id), ...defined(change) };
    this.#write(picture);
    this.#pictures.set(id, picture);
    return picture;
  }

  /** @throws Missing if it is gone. */
  remove(id: string): void {
    this.get(id);
    this.#write({ id, gone: true });
    this.#pictures.delete(id);
    fs.rmSync(this.#file(id), { force: true });
  }

  /** The newest first. */
  search({ search = '', rating = 0, kept, kind, job, before, limit }: Search): PictureList {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (picture: Picture) =>
      picture.rating >= rating &&
      (kept === undefined || picture.isKept === kept) &&
      (kind === undefined || picture.kind === kind) &&
      (job === undefined || picture.job === job) &&
      words.every((word) => picture.prompt.toLowerCase().includes(word));
    const all = [...this.#pictures.values()].filter(fits).reverse();
    const from = before === undefined ? 0 : placeAfter(before, all);
    const pictures = all.slice(from, from + limit);
    const last = pictures.at(-1);
    return { pictures, total: all.length, next: from + limit < all.length ? last?.id : undefined };
  }

  get #files(): string {
    return path.join(this.#folder, 'pictures');
  }

  get #log(): string {
    return path.join(this.#folder, 'pictures.jsonl');
  }

  #file(id: string): string {
    return path.join(this.#files, `${id}.png`);
  }

  #write(entry: Picture | { readonly id: string; readonly gone: true }): void {
    appendRegular(this.#log, `${JSON.stringify(entry)}\n`);
    this.#entries++;
  }

  #read(line: string): void {
    if (line === '') return;
    this.#entries++;
    const entry = entryOf(line);
    if (!entry) return;
    if ('gone' in entry) this.#pictures.delete(entry.id);
    else this.#pictures.set(entry.id, { ...BLANK, ...entry });
  }

  #compact(): void {
    const lines = [...this.#pictures.values()].map((picture) => `${JSON.stringify(picture)}\n`);
    writeFileAtomic(this.#log, lines.join(''));
    this.#entries = lines.length;
  }
}

/**
 * Where the pictures begin that are older than one, among those from the newest on. That one may be gone, or fit the
 * search no more: ids begin with the time.
 */
function placeAfter(before: string, pictures: readonly Picture[]): number {
  const at = pictures.findIndex(({ id }) => id === before);
  if (at >= 0) return at + 1;
  const older = pictures.findIndex(({ id }) => id < before);
  return older < 0 ? pictures.length : older;
}

/** What an entry may leave out. */
const BLANK = {
  ...{ negative: undefined, seed: undefined, settings: undefined, model: undefined, clipScore: undefined },
  ...{ job: undefined, strength: undefined, mask: undefined },
} as const;

function entryOf(line: string): z.infer<typeof entrySchema> | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

const defined = (change: PictureChange): Partial<Picture> =>
  Object.fromEntries(Object.entries(change).filter(([, given]) => given !== undefined));
