/** What `clipvq bench samplers` has measured, as a table and as a chart. */

import type { Point } from '../../bench/sampler-bench.ts';
import type { Estimate } from '../../evaluation/paired.ts';
import { drawChart, type Panel, type Series } from '../../render/chart.ts';
import { percent } from '../percent.ts';
import { table } from '../table.ts';

const signed = (share: number, digits: number): string => `${share > 0 ? '+' : ''}${(100 * share).toFixed(digits)}`;
const within = ({ error }: Estimate, digits: number): string => `± ${(100 * error).toFixed(digits)}`;

/** A line for each point; the first is the reference, with which the others are compared picture by picture. */
export function pointsTable(points: readonly Point[]): string[] {
  const head = ['sampler', 'steps', 'passes', 'recognised', 'less reference', '', 'Fréchet', 'of reference', ''];
  return table([
    [...head, 'CLIP score', 's/picture'],
    ...points.map((p) => [
      p.name,
      `${p.sampling.steps}`,
      `${p.passes.conditional} + ${p.passes.unconditional}`,
      percent(p.recognised.value, 1),
      signed(p.recognisedDifference.value, 1),
      within(p.recognisedDifference, 1),
      p.frechet.value.toFixed(4),
      `${signed(p.frechetRatio.value - 1, 1)} %`,
      within(p.frechetRatio, 1),
      p.clipScore.toFixed(3),
      p.secondsPerPicture.toFixed(3),
    ]),
  ]);
}

/** Differences from the reference against passes and seconds, with their errors; a line for each sampler. */
export function pointsChart(points: readonly Point[], { pictures }: { pictures: number }): Promise<Buffer> {
  const [reference] = points as readonly [Point];
  const series = (x: (p: Point) => number, y: (p: Point) => Estimate): Series[] =>
    [...new Set(points.map(({ name }) => name))].map((name) => ({
      label: name,
      isReference: name === reference.name,
      points: points
        .filter((p) => p.name === name)
        .map((p) => ({ x: x(p), y: y(p).value, error: y(p).error }))
        .sort((a, b) => a.x - b.x),
    }));
  const passes = (p: Point) => p.passes.conditional;
  const seconds = (p: Point) => p.secondsPerPicture;
  const twice = (title: string, unit: string, y: (p: Point) => Estimate): Panel[] => {
    const format = (share: number) => `${signed(share, 1)}${unit}`;
    return [
      { title, xLabel: 'passes', format, series: series(passes, y) },
      { title: 'The same against time', xLabel: 'seconds a picture', format, series: series(seconds, y) },
    ];
  };
  const isClassified = !Number.isNaN(reference.recognised.value);
  return drawChart({
    title: `Samplers beside ${reference.name}, ${reference.sampling.steps} steps`,
    subtitle: `${pictures} pictures a point; lines up and down are one standard error of the difference, picture by picture`,
    panels: [
      ...(isClassified
        ? twice('Attributes that the classifier recognises: difference in points', '', (p) => p.recognisedDifference)
        : []),
      ...twice('Fréchet distance to real pictures: difference', ' %', ({ frechetRatio: { value, error } }) => ({
        value: value - 1,
        error,
      })),
    ],
  });
}
