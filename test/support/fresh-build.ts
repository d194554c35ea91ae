/** Before the tests: what they run is built anew where a source has changed since (`over-the-build.ts`). */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const modified = (file: string): number => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** @throws Error with the messages of the compiler if the sources do not compile. */
export default function freshBuild(): void {
  const built = modified('dist/.tsbuildinfo');
  const sources = fs.readdirSync('src', { encoding: 'utf8', recursive: true });
  const isNew = (name: string) => !name.endsWith('.test.ts') && modified(path.join('src', name)) > built;
  if (!sources.some((name) => name.endsWith('.ts') && isNew(name))) return;
  const { status, stderr } = spawnSync(process.execPath, ['scripts/setup.mjs', '--quiet'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}
