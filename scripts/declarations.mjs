/**
 * The compiler writes `.js` for `.ts` into the JavaScript it emits, but leaves `.ts` in declarations. Other projects
 * then look for source files that the package does not hold.
 */

import fs from 'node:fs';
import path from 'node:path';

/** Let every declaration in a folder import `.js`. Doing it twice changes nothing. */
export function rewriteDeclarations(folder) {
  for (const name of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.d.ts')) continue;
    const file = path.join(folder, name);
    const text = fs.readFileSync(file, 'utf8');
    const rewritten = text.replace(/((?:from|import\()\s*['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2');
    if (rewritten !== text) fs.writeFileSync(file, rewritten);
  }
}
