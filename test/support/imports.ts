/** What source files import, read off their text. */

import fs from 'node:fs';
import path from 'node:path';

const IMPORT = /(?:^|\n)\s*(?:import|export)\s(type\s)?([^'";]*?from\s+)?'([^']+)'|import\('([^']+)'\)/g;

export interface Import {
  /** As it is written: a path or the name of a module. */
  readonly target: string;
  /** What is imported of it, as it is written. */
  readonly clause: string;
  /** Whether all of that are types, of which nothing is left when the program runs. */
  readonly isOfTypes: boolean;
  /** Whether it is loaded when the program comes by, and not with the file. */
  readonly isLate: boolean;
}

/** The imports and re-exports of a file, in their order. */
export function importsOf(file: string): Import[] {
  return [...fs.readFileSync(file, 'utf8').matchAll(IMPORT)].map(([, type, clause = '', direct, late]) => ({
    target: (direct ?? late)!,
    clause: clause.trim(),
    isOfTypes: type !== undefined || namesTypesAlone(clause),
    isLate: late !== undefined,
  }));
}

/** `{ type A, type B }` */
function namesTypesAlone(clause: string): boolean {
  const names = /^\{([^}]*)\}\s*from\s+$/.exec(clause.trimStart())?.[1];
  const each = names?.split(',').map((name) => name.trim());
  return each?.every((name) => name === '' || name.startsWith('type ')) ?? false;
}

export interface Closure {
  /** Paths relative to the working directory, in their order. */
  readonly files: readonly string[];
  /** What is no file of ours, by name (`node:fs`, `@scope/name`), with the clauses that import it. */
  readonly packages: ReadonlyMap<string, readonly string[]>;
}

/** All that is loaded with these files: their imports of values, and theirs; `late` ones too where it says so. */
export function importClosure(entries: readonly string[], { late = false } = {}): Closure {
  const files = new Set<string>();
  const packages = new Map<string, string[]>();
  const walk = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const { target, clause, isOfTypes, isLate } of importsOf(file)) {
      if (isOfTypes || (isLate && !late)) continue;
      if (target.startsWith('.')) walk(path.join(path.dirname(file), target));
      else packages.set(packageName(target), [...(packages.get(packageName(target)) ?? []), clause]);
    }
  };
  for (const entry of entries) walk(path.normalize(entry));
  return { files: [...files].sort(), packages };
}

/** Of `@scope/name/part` and `name/part` the package. */
function packageName(target: string): string {
  if (target.startsWith('node:')) return target;
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
}

/** A file's text without comments and quoted texts: what is left names what the program uses. */
export function codeOf(file: string): string {
  const text = fs.readFileSync(file, 'utf8');
  return text.replace(/\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|(?<=^|\s)\/\/[^\n]*/g, ' ');
}
