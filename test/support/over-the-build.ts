/**
 * Tests import sources, and what they run is the build of them: it is what ships, and Node loads it without a test
 * runner transforming every module.
 */

import fs from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'vitest/config';

const [SOURCES, BUILD] = ['src', 'dist'].map((folder) => path.resolve(folder) + path.sep) as [string, string];

/** Files that Node loads as they are. */
export const BUILT = /\/dist\/.*\.js$/;

/** Resolves the import of a source to the file that was built of it. */
export const overTheBuild: Plugin = {
  name: 'over-the-build',
  enforce: 'pre',
  resolveId(imported, importer) {
    if (importer === undefined || !imported.startsWith('.')) return undefined;
    const file = path.resolve(path.dirname(importer), imported);
    if (!file.startsWith(SOURCES) || !file.endsWith('.ts')) return undefined;
    const built = `${BUILD}${file.slice(SOURCES.length, -'.ts'.length)}.js`;
    return fs.existsSync(file) && fs.existsSync(built) ? built.replaceAll(path.sep, '/') : undefined;
  },
};
