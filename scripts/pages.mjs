/**
 * Bundles what runs in a browser: every folder of `pages/` that holds an `index.html` becomes `dist/pages/<name>`: its
 * `main.tsx` (or `main.ts`), what its `bundle.json` lists, style sheets, and the other files as they are. In
 * `bundle.json` `workers` are modules, `classic` scripts that stand alone (the page's own is a module otherwise), and
 * `runtime` adds onnxruntime-web, packed.
 *
 *   node scripts/pages.mjs [--force]
 */

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = path.join(root, 'pages');
const out = (name) => path.join(root, 'dist', 'pages', name);

const names = () =>
  existsSync(pages) ? readdirSync(pages).filter((name) => existsSync(path.join(pages, name, 'index.html'))) : [];

const filesOf = (folder) =>
  readdirSync(folder, { recursive: true })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile());

/** Pages import from `src/`, so that a change there makes them stale too. */
function stale(name) {
  const built = path.join(out(name), 'index.html');
  if (!existsSync(built)) return true;
  const { mtimeMs } = statSync(built);
  return [...filesOf(pages), ...filesOf(path.join(root, 'src')), path.join(root, 'package-lock.json')].some(
    (file) => statSync(file).mtimeMs > mtimeMs,
  );
}

async function bundle(name) {
  const { build } = await import('esbuild');
  const from = path.join(pages, name);
  const settings = path.join(from, 'bundle.json');
  const listed = existsSync(settings) ? JSON.parse(readFileSync(settings, 'utf8')) : {};
  const { workers = [], classic = [], runtime = false } = listed;
  const main = ['main.tsx', 'main.ts'].find((file) => existsSync(path.join(from, file)));
  rmSync(out(name), { recursive: true, force: true });
  mkdirSync(out(name), { recursive: true });
  const common = {
    outdir: out(name),
    outbase: from,
    bundle: true,
    minify: true,
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.woff2': 'file', '.svg': 'file' },
    assetNames: '[name]',
    legalComments: 'none',
    logLevel: 'warning',
    // What onnxruntime-web imports on Node alone.
    external: ['module', 'worker_threads'],
  };
  await build({
    ...common,
    entryPoints: [...(classic.includes(main) ? [] : [main]), ...workers].map((file) => path.join(from, file)),
    format: 'esm',
    // The runtime's script lies beside its workers: its threads load it, too.
    conditions: ['onnxruntime-web-use-extern-wasm'],
  });
  if (classic.length > 0)
    await build({
      ...common,
      entryPoints: classic.map((file) => path.join(from, file)),
      format: 'iife',
      define: { 'import.meta.url': 'self.location.href' },
    });
  if (runtime) copyRuntime(out(name));
  // Last, since its time says when the page was built.
  copyFileSync(path.join(from, 'index.html'), path.join(out(name), 'index.html'));
}

/** Names of onnxruntime-web's builds, by what they are called beside a page: plain WebAssembly, and with WebGPU. */
const RUNTIMES = { runtime: 'ort-wasm-simd-threaded', 'runtime-webgpu': 'ort-wasm-simd-threaded.jspi' };

/** The runtime's scripts, and its WebAssembly packed: that takes seconds, so it is done once a version. */
function copyRuntime(to) {
  const dist = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'));
  const packed = path.join(root, 'dist', 'runtime');
  mkdirSync(packed, { recursive: true });
  for (const [name, file] of Object.entries(RUNTIMES)) {
    copyFileSync(path.join(dist, `${file}.mjs`), path.join(to, `${name}.mjs`));
    const [source, kept] = [path.join(dist, `${file}.wasm`), path.join(packed, `${name}.bin`)];
    if (!existsSync(kept) || statSync(kept).mtimeMs < statSync(source).mtimeMs) {
      writeFileSync(`${kept}.tmp`, gzipSync(readFileSync(source), { level: 9 }));
      renameSync(`${kept}.tmp`, kept);
    }
  }
}

/** Builds the pages that are older than their sources. */
export async function buildPages({ force = false } = {}) {
  for (const name of names()) if (force || stale(name)) await bundle(name);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPages({ force: process.argv.includes('--force') });
