/**
 * Where pictures to train on may lie: folders and archives under the roots that the server was given, by ids. A link
 * that leads out of its root is not there.
 */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { idOf } from '../ids.ts';
import type { DataEntry, DataFolder } from '../protocol.ts';
import { Missing } from '../refusals.ts';

/** Entries of a folder that are listed, and looked at. */
const [MOST_ENTRIES, MOST_NAMES] = [500, 20_000];

const ARCHIVE = /\.(zip|tar|parquet)$/i;
const PICTURE = /\.(png|jpe?g|webp|avif|gif|tiff?|svg)$/i;

interface Place {
  /** Without links. */
  readonly path: string;
  readonly root: string;
}

/** The roots, and the places under them that were listed. */
export class Places {
  /** Without links, in the order in which they were given. */
  readonly #roots: readonly string[];
  /** Places that were listed: nothing else has an id. */
  readonly #places = new Map<string, Place>();

  /** @throws UserError if a root is not there. */
  constructor(roots: readonly string[]) {
    this.#roots = roots.map((root) => {
      if (!fs.existsSync(root)) throw new UserError(`There is no folder or file ${root}: check the path of the data`);
      return fs.realpathSync(root);
    });
  }

  roots(): DataEntry[] {
    return this.#roots.flatMap((root) => this.#entry(root, root) ?? []);
  }

  /** What lies in a folder. @throws Missing if it is gone, UserError if it is none. */
  list(id: string): DataFolder {
    const { path: folder, root } = this.#place(id);
    if (!fs.statSync(folder).isDirectory()) throw new UserError('This is an archive: only folders can be opened');
    const names = fs.readdirSync(folder).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    const visible = names.slice(0, MOST_NAMES).filter((name) => !name.startsWith('.') && name !== 'node_modules');
    const entries = visible.flatMap((name) => (PICTURE.test(name) ? [] : this.#below(folder, name, root)));
    const above = this.#above(folder, root);
    return {
      folder: { ...this.#entry(folder, root)!, pictures: visible.filter((name) => PICTURE.test(name)).length },
      ...{ above, entries: entries.slice(0, MOST_ENTRIES) },
      isCut: entries.length > MOST_ENTRIES || names.length > MOST_NAMES,
    };
  }

  /** @throws Missing if it is gone or not under its root any more. */
  get(id: string): DataEntry & { readonly path: string } {
    const { path: where, root } = this.#place(id);
    return { ...this.#entry(where, root)!, path: where };
  }

  has(id: string): boolean {
    if (this.#places.size === 0) this.roots();
    return this.#places.has(id);
  }

  #place(id: string): Place {
    if (!this.has(id)) throw new Missing(`There is no data ${id}: list the folders again`);
    const place = this.#places.get(id)!;
    // It may have become a link since it was listed.
    if (realPath(place.path) !== place.path) throw new Missing(`${path.basename(place.path)} is gone: list its folder`);
    return place;
  }

  #below(folder: string, name: string, root: string): readonly DataEntry[] {
    const where = realPath(path.join(folder, name));
    if (where === undefined || !isUnder(where, root)) return [];
    const entry = this.#entry(where, root, name);
    return entry ? [entry] : [];
  }

  #above(folder: string, root: string): DataEntry[] {
    if (folder === root) return [];
    const parent = path.dirname(folder);
    return [...this.#above(parent, root), ...(this.#entry(parent, root) ? [this.#entry(parent, root)!] : [])];
  }

  /** A folder or an archive; undefined for anything else. */
  #entry(where: string, root: string, name = path.basename(where)): DataEntry | undefined {
    const stats = fs.statSync(where, { throwIfNoEntry: false });
    const kind = stats?.isDirectory() ? 'folder' : stats?.isFile() && ARCHIVE.test(where) ? 'archive' : undefined;
    if (!stats || !kind) return undefined;
    const id = idOf(`${root}\0${where}`);
    this.#places.set(id, { path: where, root });
    const pictures = kind === 'folder' ? countIn(where) : undefined;
    return { id, name, kind, pictures, bytes: kind === 'archive' ? stats.size : undefined };
  }
}

const isUnder = (where: string, root: string): boolean => where === root || where.startsWith(`${root}${path.sep}`);

function realPath(where: string): string | undefined {
  try {
    return fs.realpathSync(where);
  } catch {
    return undefined;
  }
}

/** Pictures that lie in a folder itself; undefined where there are too many names to look at, or none is readable. */
function countIn(folder: string): number | undefined {
  try {
    const names = fs.readdirSync(folder);
    const count = names.filter((name) => PICTURE.test(name)).length;
    return count === 0 && names.length > 0 ? undefined : count;
  } catch {
    return undefined;
  }
}
