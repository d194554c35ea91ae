/**
 * Bundles the command `clipvq`: what the compiler has made of `src/cli/main.ts` and of all it imports goes into the few
 * files of `dist/command`, because finding and compiling hundreds of modules takes a tenth of a drawing. Packages stay
 * outside, but for zod, of which half is messages in other languages.
 *
 *   node scripts/command.mjs
 */

import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const outdir = path.join(root, 'dist', 'command');
const { name, dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: [path.join(root, 'dist', 'cli', 'main.js')],
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.9',
  external: [name, ...Object.keys(dependencies).filter((one) => one !== 'zod')],
  logLevel: 'warning',
});
