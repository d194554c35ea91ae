/**
 * Bundles the command `clipvq`: what the compiler has made of `src/cli/main.ts` and of all it imports goes into the few
 * files of `dist/command`, because finding and compiling hundreds of modules takes a tenth of a drawing. Packages stay
 * outside, but for zod, of which half is messages in other languages.
 *
 *   node scripts/command.mjs
 */

import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const outdir = path.join(root, 'dist', 'command');
const { name, dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

const { metafile } = await build({
  entryPoints: [path.join(root, 'dist', 'cli', 'main.js')],
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.9',
  external: [name, ...Object.keys(dependencies).filter((one) => one !== 'zod')],
  logLevel: 'warning',
  metafile: true,
});

/** Milliseconds that files of former builds stay: a training that is under way may still have some to load. */
const KEPT = 7 * 24 * 3600 * 1000;
const made = new Set(Object.keys(metafile.outputs).map((file) => path.basename(file)));
for (const one of readdirSync(outdir)) {
  const file = path.join(outdir, one);
  if (!made.has(one) && Date.now() - statSync(file).mtimeMs > KEPT) rmSync(file);
}
