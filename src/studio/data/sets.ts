/**
 * Sets of pictures that were uploaded as zip archives. They stay archives: training reads them in place, nothing is
 * unpacked to the disk, and so no name in them leads anywhere.
 */

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import { printable } from '../../base/text.ts';
import { openZip } from '../../data/sources/containers/zip.ts';
import { makeFolder, writeFileAtomic } from '../../files/atomic.ts';
import { readText } from '../../files/regular-file.ts';
import type { DataEntry, Limits } from '../protocol.ts';
import { Missing, TooLarge, TooMany } from '../refusals.ts';

const schema = z.object({ name: z.string(), pictures: z.int(), bytes: z.int() });
const ID = /^[0-9a-f]{16}$/;
const PICTURE = /\.(png|jpe?g|webp|avif|gif|tiff?|svg)$/i;
/** Uploads at a time. */
const MOST_UPLOADS = 2;
/** Characters of a name. */
const MOST_NAME = 100;
/** What a set may claim to hold unpacked, as a multiple of its bytes: pictures hardly shrink. */
const MOST_RATIO = 20;

export class Sets {
  readonly #folder: string;
  readonly #limits: Pick<Limits, 'setBytes' | 'setFiles'>;
  #uploads = 0;

  constructor(folder: string, limits: Pick<Limits, 'setBytes' | 'setFiles'>) {
    this.#folder = folder;
    this.#limits = limits;
    makeFolder(folder);
    for (const name of fs.readdirSync(folder).filter((one) => one.endsWith('.part')))
      fs.rmSync(path.join(folder, name), { force: true });
  }

  list(): DataEntry[] {
    return fs
      .readdirSync(this.#folder)
      .flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -'.json'.length)] : []))
      .flatMap((id) => this.#read(id) ?? [])
      .sort((a, b) => a.name.localeCompare(b.name));
  }

  /** @throws Missing if there is none. */
  get(id: string): DataEntry & { readonly path: string } {
    const entry = this.#read(id);
    if (!entry) throw new Missing(`There is no set ${id}: it may have been deleted`);
    return { ...entry, path: this.#file(id, 'zip') };
  }

  has(id: string): boolean {
    return this.#read(id) !== undefined;
  }

  /** @throws Missing if there is none. */
  remove(id: string): void {
    this.get(id);
    for (const kind of ['json', 'zip']) fs.rmSync(this.#file(id, kind), { force: true });
  }

  /**
   * Take a zip archive in.
   * @throws UserError if it is too large, damaged, or holds no pictures; nothing stays then.
   */
  async upload(name: string, bytes: AsyncIterable<Uint8Array>): Promise<DataEntry> {
    if (this.#uploads >= MOST_UPLOADS) throw new TooMany('Two sets are being uploaded: wait for one of them');
    this.#uploads++;
    const id = randomBytes(8).toString('hex');
    const part = this.#file(id, 'part');
    try {
      const size = await this.#receive(part, bytes);
      const pictures = await this.#count(part);
      fs.renameSync(part, this.#file(id, 'zip'));
      const facts = { name: cleanName(name), pictures, bytes: size };
      writeFileAtomic(this.#file(id, 'json'), `${JSON.stringify(facts)}\n`);
      return { id, kind: 'set', ...facts };
    } finally {
      this.#uploads--;
      fs.rmSync(part, { force: true });
    }
  }

  async #receive(file: string, bytes: AsyncIterable<Uint8Array>): Promise<number> {
    const { setBytes } = this.#limits;
    const handle = await fs.promises.open(file, 'wx');
    try {
      let size = 0;
      for await (const chunk of bytes) {
        size += chunk.length;
        if (size > setBytes) throw new TooLarge(`A set may have ${sizeText(setBytes)}: make it smaller`);
        await handle.writeFile(chunk);
      }
      return size;
    } finally {
      await handle.close();
    }
  }

  /** @returns how many pictures an archive holds, by their names. */
  async #count(file: string): Promise<number> {
    const { setFiles } = this.#limits;
    const head = Buffer.alloc(2);
    const handle = await fs.promises.open(file);
    await handle.read(head, 0, 2, 0).finally(() => handle.close());
    if (head.toString('latin1') !== 'PK') throw new UserError('This is no zip archive: pack the pictures as .zip');
    const zip = await openedZip(file);
    try {
      const { names, rejected } = zip;
      if (names.length + rejected.length > setFiles)
        throw new UserError(`The archive holds ${names.length} files, and a set may have ${setFiles}: split it`);
      const sizes = await Promise.all(names.map((_, i) => zip.size(i)));
      const claimed = sizes.reduce((sum, size) => sum + size, 0);
      if (claimed > MOST_RATIO * fs.statSync(file).size)
        throw new UserError('The archive claims to unpack to many times its size, which no pictures do: pack it anew');
      const pictures = names.filter((name) => PICTURE.test(name)).length;
      if (pictures > 0) return pictures;
      const reason = rejected[0] ? ` (${printable(rejected[0].path)}: ${rejected[0].reason})` : '';
      throw new UserError(`There are no pictures in the archive${reason}: pack JPEG, PNG or WebP files`);
    } finally {
      await zip.close();
    }
  }

  #file(id: string, kind: string): string {
    return path.join(this.#folder, `${id}.${kind}`);
  }

  #read(id: string): DataEntry | undefined {
    if (!ID.test(id)) return undefined;
    try {
      const facts = schema.parse(JSON.parse(readText(this.#file(id, 'json'), 2 ** 16)));
      return fs.existsSync(this.#file(id, 'zip')) ? { id, kind: 'set', ...facts } : undefined;
    } catch {
      // There is none, or a kill has left a part of it.
      return undefined;
    }
  }
}

async function openedZip(file: string): ReturnType<typeof openZip> {
  try {
    return await openZip(file);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.message.replace(` ${file}`, ''));
  }
}

/** Only for reading: the set is kept under an id. */
const cleanName = (name: string): string =>
  printable(name.replace(/^.*[/\\]/, '').replace(/\.zip$/i, '')).slice(0, MOST_NAME) || 'pictures';

/** Bytes as limits are set in them: 32 MiB, 4 GiB. */
export const sizeText = (bytes: number): string =>
  bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(0)} GiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`;
