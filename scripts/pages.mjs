/**
 * Bundles what runs in a browser: every folder of `pages/` that holds an `index.html` becomes `dist/pages/<name>`: its
 * `main.tsx` (or `main.ts`), workers listed in its `bundle.json`, style sheets, and the other files as they are.
 *
 *   node scripts/pages.mjs [--force]
 */

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = path.join(root, 'pages');
const out = (name) => path.join(root, 'dist', 'pages', name);

const names = () =>
  existsSync(pages) ? readdirSync(pages).filter((name) => existsSync(path.join(pages, name, 'index.html'))) : [];

const filesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));

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
  const { workers = [] } = existsSync(settings) ? JSON.parse(readFileSync(settings, 'utf8')) : {};
  const main = ['main.tsx', 'main.ts'].find((file) => existsSync(path.join(from, file)));
  rmSync(out(name), { recursive: true, force: true });
  mkdirSync(out(name), { recursive: true });
  await build({
    entryPoints: [main, ...workers].map((file) => path.join(from, file)),
    outdir: out(name),
    outbase: from,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.woff2': 'file', '.svg': 'file' },
    assetNames: '[name]',
    legalComments: 'none',
    logLevel: 'warning',
  });
  // Last, since its time says when the page was built.
  copyFileSync(path.join(from, 'index.html'), path.join(out(name), 'index.html'));
}

/** Builds the pages that are older than their sources. */
export async function buildPages({ force = false } = {}) {
  for (const name of names()) if (force || stale(name)) await bundle(name);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPages({ force: process.argv.includes('--force') });
