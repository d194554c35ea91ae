/** A Python with PyTorch, where there is one: Debian's python3-torch, or whatever `python3` finds. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { skipped } from './skip.ts';

const DEBIANS = '/usr/bin/python3';

/** Whatever `python3` finds, and Debian's where that is another. */
function pythons(): readonly string[] {
  const places = (process.env.PATH ?? '').split(path.delimiter).map((folder) => path.join(folder, 'python3'));
  return places.find((file) => fs.existsSync(file)) === DEBIANS ? [DEBIANS] : ['python3', DEBIANS];
}

/** Its command; undefined, with a note, where there is none that has the modules. */
export function pythonWith(modules: readonly string[], what: string): string | undefined {
  // Finding a module is much faster than importing it.
  const find = `import sys, importlib.util as u; sys.exit(any(u.find_spec(name) is None for name in sys.argv[1:]))`;
  const found = pythons().find((name) => spawnSync(name, ['-c', find, ...modules]).status === 0);
  const packages = modules.map((name) => `python3-${name.toLowerCase()}`);
  skipped(found === undefined, what, `no python3 with ${modules.join(', ')} is installed (${packages.join(', ')})`);
  return found;
}

export const pythonWithTorch = (what: string): string | undefined => pythonWith(['torch'], what);
