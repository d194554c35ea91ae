/**
 * Everything that a source file loads when it is imported: its static imports, and theirs. Types and `import()` load
 * nothing.
 */

import fs from 'node:fs';
import path from 'node:path';

const STATIC = /(?:^|\n)\s*(?:import|export)\s+(?!type\b)([^'";]*?from\s+)?'([^']+)'/g;

/** Whether all that is imported by name is a type: `import { type A, type B }`. */
const onlyTypes = (clause: string): boolean => {
  const names = /^\{([^}]*)\}\s*from\s+$/.exec(clause.trimStart())?.[1];
  if (names === undefined) return false;
  const each = names.split(',').map((name) => name.trim());
  return each.every((name) => name === '' || name.startsWith('type '));
};

export interface Closure {
  /** Paths relative to the working directory. */
  readonly files: readonly string[];
  /** Names of packages, and of Node's own modules with `node:`. */
  readonly packages: readonly string[];
}

/** The closure of the static imports of a TypeScript file. */
export function importClosure(file: string): Closure {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (one: string): void => {
    if (files.has(one)) return;
    files.add(one);
    for (const [, clause = '', target] of fs.readFileSync(one, 'utf8').matchAll(STATIC)) {
      if (onlyTypes(clause)) continue;
      if (target!.startsWith('.')) visit(path.join(path.dirname(one), target!));
      else packages.add(packageName(target!));
    }
  };
  visit(path.normalize(file));
  return { files: [...files].sort(), packages: [...packages].sort() };
}

function packageName(target: string): string {
  if (target.startsWith('node:')) return target;
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
}
