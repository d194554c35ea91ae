/** Training curves as a PNG: a panel for each number of each stage, a colour for each run. */

import { writeFileAtomic } from '../../files/atomic.ts';
import { type Chart, drawChart, type Panel } from '../../render/chart.ts';
import type { RunDirectory } from '../../run/directory.ts';
import { type Curve, curvesOf, type Logged, readLogged } from './curves.ts';

export interface NamedLog {
  readonly name: string;
  readonly log: readonly Logged[];
}

/** More panels are no picture any more. */
const MOST_PANELS = 24;

/**
 * The panels of some logs: numbers that any of them has, those of one stage together, in the order in which they are
 * logged.
 */
export function curvePanels(logs: readonly NamedLog[]): Panel[] {
  const curves = logs.map(({ name, log }) => ({ name, curves: curvesOf(log) }));
  const titles = new Map<string, Pick<Curve, 'stage' | 'name'>>();
  for (const { curves: own } of curves) for (const one of own) titles.set(`${one.stage}: ${one.name}`, one);
  return [...titles]
    .map(([title, { stage, name }]) => ({
      title,
      xLabel: 'step',
      format: shortNumber,
      series: curves.flatMap(({ name: label, curves: own }) => {
        const points = own.find((one) => one.stage === stage && one.name === name)?.points ?? [];
        const finite = points.filter(({ y }) => Number.isFinite(y));
        return finite.length > 0 ? [{ label, points: finite }] : [];
      }),
    }))
    .filter(({ series }) => series.length > 0)
    .slice(0, MOST_PANELS);
}

/** The chart as a PNG; undefined if the logs hold nothing to draw. */
export async function drawCurves(
  title: string,
  subtitle: string,
  logs: readonly NamedLog[],
): Promise<Buffer | undefined> {
  const panels = curvePanels(logs);
  if (panels.length === 0) return undefined;
  const chart: Chart = { title, subtitle, panels, style: 'curves' };
  return drawChart(chart);
}

/** The curves of a run, as `curves.png` beside its log. */
export async function drawRunCurves(run: RunDirectory): Promise<void> {
  const { recipe, data } = run.settings;
  const log = readLogged(run.file('log.jsonl'));
  const picture = await drawCurves('Training', `preset ${recipe.preset}`, [{ name: data, log }]);
  if (picture) writeFileAtomic(run.file('curves.png'), picture);
}

const shortNumber = (y: number): string => {
  const size = Math.abs(y);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return y.toExponential(1);
  return size >= 100 ? y.toFixed(0) : `${Number(y.toPrecision(3))}`;
};
