/**
 * What `npm pack` and `npm publish` run first: installs packages where they are missing, builds `dist` from nothing, so
 * that no file of an older build is packed, and makes the declarations readable for every TypeScript project.
 */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rewriteDeclarations } from './declarations.mjs';
import { setUp } from './setup.mjs';

const dist = fileURLToPath(new URL('../dist', import.meta.url));

fs.rmSync(dist, { recursive: true, force: true });
setUp({ quiet: true });
rewriteDeclarations(dist);
fs.chmodSync(path.join(dist, '..', 'bin', 'clipvq.cjs'), 0o755);
