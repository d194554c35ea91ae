/** A Python with PyTorch, where there is one: Debian's python3-torch, or whatever `python3` finds. */
import { spawnSync } from 'node:child_process';
import { skipped } from './skip.ts';

/** Its command; undefined, and said so, where there is none. */
export function pythonWithTorch(what: string): string | undefined {
  const found = ['python3', '/usr/bin/python3'].find((name) => spawnSync(name, ['-c', 'import torch']).status === 0);
  skipped(found === undefined, what, 'no python3 with torch is installed (python3-torch)');
  return found;
}
