/** The files of the studio's page, as the build has made them. */

import fs from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../files/own-package.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
};

export interface PageFile {
  readonly bytes: Buffer;
  readonly type: string;
  /** Changes with the file. */
  readonly tag: string;
}

/** Where the build puts the page. */
export const pageFolder = (): string => path.join(packageRoot(), 'dist', 'pages', 'studio');

/** The files of a folder, by the addresses that a browser asks for. */
export class Pages {
  readonly #folder: string;

  constructor(folder = pageFolder()) {
    this.#folder = folder;
  }

  get isBuilt(): boolean {
    return fs.existsSync(path.join(this.#folder, 'index.html'));
  }

  /**
   * The file of an address such as `/main.js`; undefined if there is none. Only names that the folder lists are
   * served: an address is compared, and never made into a path.
   */
  file(address: string): PageFile | undefined {
    const wanted = address === '/' ? 'index.html' : address.slice(1);
    const name = this.#names().find((one) => one === wanted);
    const type = name && TYPES[path.extname(name)];
    if (!name || !type) return undefined;
    const file = path.join(this.#folder, name);
    const { mtimeMs, size } = fs.statSync(file);
    return { bytes: fs.readFileSync(file), type, tag: `"${size.toString(36)}-${Math.round(mtimeMs).toString(36)}"` };
  }

  #names(): string[] {
    if (!fs.existsSync(this.#folder)) return [];
    const folder = fs.realpathSync(this.#folder);
    // Neither a link nor what lies behind one.
    const isOwn = (file: string) => fs.lstatSync(file).isFile() && fs.realpathSync(file) === file;
    return fs
      .readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => isOwn(path.join(folder, name)))
      .map((name) => name.replaceAll(path.sep, '/'));
  }
}
