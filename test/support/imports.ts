/** What source files import, read off their text. */

import fs from 'node:fs';
import path from 'node:path';

const IMPORT = /(?:^|\n)\s*(import|export)\s(type\s)?([^'";]*?from\s+)?'([^']+)'|import\('([^']+)'\)/g;

export interface Closure {
  /** Files, absolute. */
  readonly files: ReadonlySet<string>;
  /** Modules that are no files of ours, by name, with the clauses that import them. */
  readonly modules: ReadonlyMap<string, readonly string[]>;
}

/**
 * All that is loaded with a file: its imports of values, and theirs. Those of types alone are gone when the program
 * runs.
 */
export function importClosure(entries: readonly string[]): Closure {
  const files = new Set<string>();
  const modules = new Map<string, string[]>();
  const walk = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const [, , isType, clause = '', direct, dynamic] of fs.readFileSync(file, 'utf8').matchAll(IMPORT)) {
      if (isType) continue;
      const target = (direct ?? dynamic)!;
      if (target.startsWith('.')) walk(path.resolve(path.dirname(file), target));
      else modules.set(target, [...(modules.get(target) ?? []), clause.trim()]);
    }
  };
  for (const entry of entries) walk(path.resolve(entry));
  return { files, modules };
}

/** A file's text without comments and quoted texts: what is left names what the program uses. */
export function codeOf(file: string): string {
  const text = fs.readFileSync(file, 'utf8');
  return text.replace(/\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|(?<=^|\s)\/\/[^\n]*/g, ' ');
}
