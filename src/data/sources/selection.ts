/** Which of the usable pictures are trained on: not those that are excluded by name, and equal ones once. */

import type { Rejected } from './containers/container.ts';
import type { Picture } from './inventory.ts';

export interface SelectionOptions {
  /** Names, `*` standing for anything. */
  readonly exclude?: readonly string[] | undefined;
  /** Whether pictures that are equal byte for byte are taken once. By default all are taken. */
  readonly duplicates?: 'once' | 'all' | undefined;
}

export interface Selection {
  readonly pictures: readonly Picture[];
  /** What is left out, with the reason. */
  readonly left: readonly Rejected[];
}

/** Choose among pictures; of equal ones the first in order stays. */
export function selectPictures(
  pictures: readonly Picture[],
  { exclude = [], duplicates = 'all' }: SelectionOptions,
): Selection {
  const isExcluded = matcher(exclude);
  const left: Rejected[] = [];
  const first = new Map<string, string>();
  const chosen = pictures.filter(({ name, contentId }) => {
    const double = first.get(contentId);
    if (isExcluded(name)) left.push({ path: name, reason: EXCLUDED });
    else if (double !== undefined && duplicates === 'once') left.push({ path: name, reason: `${DOUBLE}: ${double}` });
    else {
      if (double === undefined) first.set(contentId, name);
      return true;
    }
    return false;
  });
  return { pictures: chosen, left };
}

const EXCLUDED = 'excluded by name';
/** The same bytes as another picture. */
export const DOUBLE = 'the same picture byte for byte as another';

/** Whether a name is one of a list in which `*` stands for anything. */
function matcher(patterns: readonly string[]): (name: string) => boolean {
  const names = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const wild = patterns.filter((pattern) => pattern.includes('*')).map((pattern) => pattern.split('*'));
  return (name) => names.has(name) || wild.some((parts) => matches(name, parts));
}

/** Whether a text is these parts in order with anything between them. */
function matches(name: string, parts: readonly string[]): boolean {
  const [start, end] = [parts[0]!, parts.at(-1)!];
  if (!name.startsWith(start) || !name.endsWith(end) || name.length < start.length + end.length) return false;
  let at = start.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - end.length;
}
