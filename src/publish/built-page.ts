/** The page as the build has left it in the package (`scripts/pages.mjs`). */

import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { UserError } from '../base/errors.ts';
import { asMarkup } from '../base/text.ts';
import { packageRoot } from '../files/own-package.ts';

/** Files that a static site consists of, besides its page, its model and the runtime. */
export const SITE_FILES = [
  'main.js',
  'main.css',
  'worker.js',
  'worker-webgpu.js',
  'isolate.js',
  'runtime.mjs',
  'runtime-webgpu.mjs',
] as const;

type BuiltFile = (typeof SITE_FILES)[number] | 'index.html' | 'worker-file.js' | RuntimeFile;
/** ONNX Runtime as WebAssembly, packed by gzip: plain, and with WebGPU. */
export type RuntimeFile = 'runtime.bin' | 'runtime-webgpu.bin';

/** @throws UserError if it has not been built. */
export function builtFile(name: BuiltFile): Buffer {
  const folder = name.endsWith('.bin') ? ['runtime'] : ['pages', 'site'];
  const file = path.join(packageRoot(), 'dist', ...folder, name);
  if (!fs.existsSync(file))
    throw new UserError(`The page is not built (${file} is missing): run npm run setup in the clone, or install again`);
  return fs.readFileSync(file);
}

/** Packed by gzip, the same bytes on every machine. */
export const packed = (bytes: Uint8Array): Buffer => gzipSync(bytes, { level: 9 });

/** The page with the export's own facts, its title, and parts of it replaced. */
export function pageWith(title: string, data: object, parts: Readonly<Record<string, string>> = {}): string {
  const replacements = {
    '<title>Pictures from text</title>': `<title>${asMarkup(title)}</title>`,
    '<script type="application/json" id="page">{}</script>': `<script type="application/json" id="page">${json(data)}</script>`,
    ...parts,
  };
  let html = builtFile('index.html').toString('utf8');
  for (const [found, put] of Object.entries(replacements)) {
    if (html.split(found).length !== 2) throw new Error(`the page does not hold once: ${found}`);
    html = html.replace(found, () => put);
  }
  return html;
}

/** JSON that no element ends in. */
const json = (value: object): string => JSON.stringify(value).replaceAll('<', '\\u003c');
