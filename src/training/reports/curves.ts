/** The numbers of a training log as curves: by stage and name, thinned to as many points as a chart can show. */

import fs from 'node:fs';
import * as z from 'zod';
import { linesOf } from '../../files/lines.ts';
import { readTail } from '../../files/regular-file.ts';

/** One line of a log. */
export interface Logged {
  readonly stage: string;
  readonly step: number;
  readonly values: Readonly<Record<string, number>>;
}

/** Points of one number of one stage, in order of steps. */
export interface Curve {
  readonly stage: string;
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const schema = z.looseObject({ stage: z.string(), step: z.number() });
/** Numbers of a log that describe the machine, not the training. */
const NO_CURVES = ['stateBytes', 'activationBytes', 'skipped', 'waiting'];
/** The end of a log holds at least one line of it. */
const TAIL = 2 ** 16;
const MOST_POINTS = 240;

/** The entries of a log; lines that a kill has left half-written are left out. No file is an empty log. */
export function readLogged(file: string): Logged[] {
  if (!fs.existsSync(file)) return [];
  const entries: Logged[] = [];
  for (const { text } of linesOf(file)) entries.push(...entryOf(text));
  return entries;
}

/** The last entry of a log, of which only the end is read. */
export function lastLogged(file: string): Logged | undefined {
  return fs.existsSync(file) ? readTail(file, TAIL).text.split('\n').flatMap(entryOf).at(-1) : undefined;
}

/** The entry of a line; none for a line that is half-written or no entry. */
export function entryOf(line: string): Logged[] {
  try {
    const parsed = schema.safeParse(JSON.parse(line));
    if (!parsed.success) return [];
    const { stage, step, ...rest } = parsed.data;
    const numbers = Object.entries(rest).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
    return [{ stage, step, values: Object.fromEntries(numbers) }];
  } catch {
    return [];
  }
}

/**
 * One curve for each number of each stage. Where there are more points than a chart can show, runs of neighbours become
 * their mean.
 */
export function curvesOf(entries: readonly Logged[], most = MOST_POINTS): Curve[] {
  const curves = new Map<string, { stage: string; name: string; points: { x: number; y: number }[] }>();
  for (const { stage, step, values } of entries) {
    for (const [name, y] of Object.entries(values)) {
      if (NO_CURVES.includes(name)) continue;
      const key = `${stage} ${name}`;
      const curve = curves.get(key) ?? { stage, name, points: [] };
      curve.points.push({ x: step, y });
      curves.set(key, curve);
    }
  }
  return [...curves.values()].map((curve) => ({ ...curve, points: thinned(curve.points, most) }));
}

function thinned(points: Curve['points'], most: number): Curve['points'] {
  const size = Math.ceil(points.length / most);
  if (size <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const part = points.slice(i * size, (i + 1) * size);
    const mean = (of: 'x' | 'y') => part.reduce((sum, point) => sum + point[of], 0) / part.length;
    return { x: mean('x'), y: mean('y') };
  });
}
