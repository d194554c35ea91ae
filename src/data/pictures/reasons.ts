/** What was left out, in few lines: totals by reason, the most frequent first. */

import { printable } from '../../base/text.ts';
import type { Rejected } from '../sources/containers/container.ts';
import { DOUBLE } from '../sources/selection.ts';
import { NOT_A_PICTURE } from './identify.ts';

/** How many files were left out for reasons of one kind. */
export interface ReasonTotal {
  readonly kind: string;
  readonly count: number;
}

/** Their number is what they are about. */
const KINDS_BY_NUMBER = /\b\d+ (?:bits|bands)\b/;

/** Reasons of one kind differ in their numbers and in what stands behind a colon. */
function kindOf(reason: string): string {
  if (reason.includes('megapixels')) return 'more megapixels than the limit';
  if (reason.includes('longer than the limit'))
    return `longer than the limit of ${/limit of (\S+)/.exec(reason)?.[1] ?? ''} pixels a side`;
  const kind = reason.replace(/:.*/s, '');
  return KINDS_BY_NUMBER.test(kind) ? kind : kind.replaceAll(/\d[\d.,x]*/g, '#');
}

/** What cannot be read, and why, from a reason that may say so already. */
export const cannotRead = (what: string, reason: string): string =>
  `Cannot read ${what}: ${reason.replace(/^cannot be read: /, '')}`;

/** That a place holds nothing to learn from, in one line. */
export function nothingUsable(where: string, rejected: readonly Rejected[]): string {
  const [first] = rejected;
  if (first === undefined) return `No pictures in ${where}`;
  return `No usable picture in ${where}: ${rejected.length} left out, the first (${printable(first.path)}): ${first.reason}`;
}

/** Totals by kind of reason, the largest first. */
export function totalsByReason(rejected: readonly Rejected[]): readonly ReasonTotal[] {
  const counts = new Map<string, number>();
  for (const { reason } of rejected) counts.set(kindOf(reason), (counts.get(kindOf(reason)) ?? 0) + 1);
  return [...counts]
    .map(([kind, count]) => ({ kind, count }))
    .sort((a, b) => b.count - a.count || (a.kind < b.kind ? -1 : 1));
}

/**
 * The files that are no pictures and claim to be none, by the ending of their names: "1258 files (1200 .txt, 58 .wav)".
 */
export function otherFiles(rejected: readonly Rejected[]): string | undefined {
  const others = rejected.filter(({ reason }) => reason === NOT_A_PICTURE);
  if (others.length === 0) return undefined;
  const endings = new Map<string, number>();
  for (const { path } of others) {
    const ending = /\.[^./\s]{1,10}$/.exec(path)?.[0].toLowerCase() ?? 'without ending';
    endings.set(ending, (endings.get(ending) ?? 0) + 1);
  }
  const most = [...endings].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const shown = most.slice(0, 5).map(([ending, count]) => `${count} ${printable(ending)}`);
  return `${others.length} files that are no pictures (${shown.join(', ')}${most.length > 5 ? ', …' : ''})`;
}

/** Kinds of reasons shown before training. */
const SHOWN = 4;

/** What to say before training of what was left out; `file` lists it all. */
export function leftOutLines(used: number, rejected: readonly Rejected[], file: string): string[] {
  const claims = rejected.filter(({ reason }) => reason !== NOT_A_PICTURE);
  const doubles = claims.filter(({ reason }) => reason.startsWith(DOUBLE));
  const unused = claims.filter(({ reason }) => !reason.startsWith(DOUBLE));
  const totals = totalsByReason(unused);
  const reasons = totals.slice(0, SHOWN).map(({ kind, count }) => `${count} ${kind}`);
  const more = totals.length > SHOWN ? '; …' : '';
  return [
    ...(unused.length > 0
      ? [`${unused.length} of ${used + unused.length} files are left out (${reasons.join('; ')}${more}): see ${file}`]
      : []),
    ...(doubles.length > 0
      ? [
          `${doubles.length} pictures are the same byte for byte as others and are trained on once (pictures.duplicates)`,
        ]
      : []),
  ];
}
