/** Numbers and times as people read them. */

import type { Job, JobKind, JobState, PictureKind, Progress } from '../../src/studio/protocol.ts';

export function duration(seconds: number): string {
  if (seconds < 1) return 'a moment';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = seconds / 60;
  if (minutes < 90) return `${Math.round(minutes)} min`;
  const hours = minutes / 60;
  if (hours < 48) return `${hours.toFixed(hours < 10 ? 1 : 0)} h`;
  const days = hours / 24;
  return days < 730 ? `${whole(Math.round(days))} days` : `${whole(Math.round(days / 365))} years`;
}

export function bytes(count: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = count > 0 ? Math.min(4, Math.floor(Math.log10(count) / 3)) : 0;
  const value = count / 1000 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`;
}

const WHOLE = new Intl.NumberFormat('en');
export const whole = (count: number): string => WHOLE.format(count);

/** Four digits, or as many as a whole number has. */
export function short(value: number): string {
  if (Number.isInteger(value)) return WHOLE.format(value);
  const size = Math.abs(value);
  return size >= 1e-4 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${whole(count)} ${count === 1 ? one : many}`;

/** The lines of a text, without those that are empty. */
export const linesOf = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

const DATE = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });
export const when = (time: string): string => DATE.format(new Date(time));

export const JOB_KINDS: Readonly<Record<JobKind, string>> = {
  create: 'Pictures',
  vary: 'Variations',
  interpolate: 'Interpolation',
  repaint: 'Repainting',
  train: 'Training',
  resume: 'Training',
  evaluate: 'Evaluation',
  check: 'Look at pictures',
};

const JOB_STATES: Readonly<Record<JobState, string>> = {
  waiting: 'Waiting',
  running: 'Running',
  paused: 'Paused',
  done: 'Done',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

export const PICTURE_KINDS: Readonly<Record<PictureKind, string>> = {
  create: 'From a prompt',
  vary: 'Variation',
  interpolate: 'Interpolation',
  repaint: 'Repainted',
  import: 'Brought in',
};

/** "sampling, 3 of 12, 4 s left". */
function progressText({ done, total, what, left }: Progress): string {
  const of = total > 0 ? `${whole(done)} of ${whole(total)}` : whole(done);
  const doing = `${what.charAt(0).toUpperCase()}${what.slice(1)}`;
  return [doing, of, ...(left === undefined ? [] : [`${duration(left)} left`])].join(', ');
}

export const standing = ({ state, progress }: Job): string =>
  state === 'running' && progress ? progressText(progress) : JOB_STATES[state];
