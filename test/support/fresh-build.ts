/** Before the tests: what they run is built anew where a source has changed since (`over-the-build.ts`). */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const modified = (file: string): number => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function make(...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')} has failed:\n${stdout}${stderr}`);
}

/** @throws Error with the messages of the compiler if the sources do not compile. */
export default function freshBuild(): void {
  const [build, command] = ['dist/.tsbuildinfo', 'dist/command/main.js'];
  const sources = fs.readdirSync('src', { encoding: 'utf8', recursive: true });
  const isSource = (name: string) => name.endsWith('.ts') && !name.endsWith('.test.ts');
  if (sources.some((name) => isSource(name) && modified(path.join('src', name)) > modified(build)))
    make('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
  if (modified(build) > modified(command)) make('scripts/command.mjs');
}
