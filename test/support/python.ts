/** A Python with PyTorch, where there is one: Debian's python3-torch, or whatever `python3` finds. */
import { spawnSync } from 'node:child_process';
import { skipped } from './skip.ts';

/** Its command; undefined, with a note, where there is none that has the modules. */
export function pythonWith(modules: readonly string[], what: string): string | undefined {
  // Finding a module is much faster than importing it.
  const find = `import sys, importlib.util as u; sys.exit(any(u.find_spec(name) is None for name in sys.argv[1:]))`;
  const found = ['python3', '/usr/bin/python3'].find((name) => spawnSync(name, ['-c', find, ...modules]).status === 0);
  const packages = modules.map((name) => `python3-${name.toLowerCase()}`);
  skipped(found === undefined, what, `no python3 with ${modules.join(', ')} is installed (${packages.join(', ')})`);
  return found;
}

export const pythonWithTorch = (what: string): string | undefined => pythonWith(['torch'], what);
