/** A trained model as web pages: a static site for any host, or one file. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { assertFreeFolder, makeWholeFolder } from '../files/new-folder.ts';
import type { RunDirectory } from '../run/directory.ts';
import { encodePageModel } from '../web/page-model.ts';
import { toPlanes } from '../web/planes.ts';
import { builtFile, packed, pageWith, SITE_FILES } from './built-page.ts';
import { type PageOptions, pageModelOf } from './page-model.ts';

export interface ExportedPage {
  /** The folder of the site, or the file. */
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** What a visitor fetches before the first picture, packed by gzip, in bytes. */
  readonly fetched: {
    readonly model: number;
    /** ONNX Runtime. */
    readonly runtime: number;
    /** The page itself, with its styles, scripts and worker. */
    readonly page: number;
    readonly total: number;
  };
}

/**
 * Write a static site: an `index.html` that draws with the run's model in the visitor's browser, and what it needs. The
 * same model gives the same bytes.
 * @throws UserError if the run cannot be carried by a page (`pageModelOf`), the folder is not empty, or the disk
 * refuses.
 */
export async function exportSite(run: RunDirectory, folder: string, options: PageOptions): Promise<ExportedPage> {
  assertFreeFolder(folder, 'the site');
  const page = await pageModelOf(run, options);
  const model = packed(toPlanes(encodePageModel(page)));
  const large = { model, wasm: builtFile('runtime.bin'), webgpu: builtFile('runtime-webgpu.bin') };
  const named = Object.entries(large).map(([name, bytes]) => ({ name, file: `${name}-${digest(bytes)}.bin`, bytes }));
  const assets = Object.fromEntries(named.map(({ name, file, bytes }) => [name, { file, bytes: bytes.length }]));
  const html = Buffer.from(pageWith(page.title, { title: page.title, files: assets }));
  const small = SITE_FILES.map((name) => [name, builtFile(name)] as const);
  const files: readonly (readonly [name: string, bytes: Uint8Array])[] = [
    ['index.html', html],
    ...small,
    ...named.map(({ file, bytes }) => [file, bytes] as const),
    // GitHub's pages would otherwise be made over by Jekyll.
    ['.nojekyll', new Uint8Array(0)],
  ];

  await makeWholeFolder(folder, (building) => {
    for (const [name, bytes] of files) writeFileAtomic(path.join(building, name), bytes);
  });
  const first = small.filter(([name]) => !name.includes('webgpu')).map(([, bytes]) => packed(bytes).length);
  return {
    path: folder,
    files: files.length,
    bytes: files.reduce((sum, [, bytes]) => sum + bytes.length, 0),
    fetched: sizesOf({ model, wasm: large.wasm }, packed(html).length + sum(first)),
  };
}

/**
 * Write one HTML file that holds everything and fetches nothing; it also works when it is opened from a disk.
 * @throws UserError if the run cannot be carried by a page (`pageModelOf`), the file is there, or the disk refuses.
 */
export async function exportHtml(run: RunDirectory, file: string, options: PageOptions): Promise<ExportedPage> {
  if (fs.existsSync(file)) throw new UserError(`${file} is there already: choose another name, or remove it`);
  const page = await pageModelOf(run, options);
  const model = packed(toPlanes(encodePageModel(page)));
  const wasm = builtFile('runtime.bin');
  const worker = packed(builtFile('worker-file.js'));
  const [style, main] = [builtFile('main.css').toString('utf8'), builtFile('main.js').toString('utf8')];
  const script = inElement(main, 'script');
  const block = (id: string, bytes: Uint8Array) =>
    `<script type="text/plain" id="${id}">${Buffer.from(bytes).toString('base64')}</script>`;
  // The script starts the runtime in its worker while the browser still reads the model.
  const [before, after] = [[block('worker', worker), block('wasm', wasm)], block('model', model)];
  const html = pageWith(
    page.title,
    { title: page.title },
    {
      [SITE_POLICY]: filePolicy(script),
      '<link rel="stylesheet" href="main.css">': `<style>${inElement(style, 'style')}</style>`,
      '<script type="module" src="main.js"></script>': [...before, `<script>${script}</script>`, after].join('\n'),
    },
  );
  makeFolder(path.dirname(path.resolve(file)));
  writeFileAtomic(file, html);
  const own = html.length - sum([...before, after].map(({ length }) => length));
  return {
    path: file,
    files: 1,
    bytes: Buffer.byteLength(html),
    fetched: sizesOf({ model, wasm }, worker.length + own),
  };
}

const SITE_POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'";

/** The page's own script by its hash, workers that it makes itself, and no connection to anywhere. */
const filePolicy = (script: string): string =>
  `default-src 'none'; script-src 'sha256-${createHash('sha256').update(script).digest('base64')}' 'wasm-unsafe-eval' blob:; worker-src blob:; style-src 'unsafe-inline'; img-src blob: data:; base-uri 'none'; form-action 'none'`;

/** Text that stands in an element and must not end it. */
function inElement(text: string, element: 'script' | 'style'): string {
  if (new RegExp(`</${element}|<!--`, 'i').test(text)) throw new Error(`the page's ${element} ends its own element`);
  return text;
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 8);

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

function sizesOf({ model, wasm }: { model: Uint8Array; wasm: Uint8Array }, page: number): ExportedPage['fetched'] {
  const [models, runtime] = [model.length, wasm.length];
  return { model: models, runtime, page, total: models + runtime + page };
}
