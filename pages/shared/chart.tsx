/** A number over the steps of training, as a line for each run. */

import { useSignal } from '@preact/signals';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Series {
  readonly name: string;
  /** By rising x. */
  readonly points: readonly Point[];
}

interface ChartProps {
  readonly title: string;
  /** What the number is. */
  readonly hint?: string | undefined;
  readonly series: readonly Series[];
  /** Of what x counts. */
  readonly unit: string;
  readonly format: (value: number) => string;
}

const [WIDTH, HEIGHT] = [360, 170];
const EDGE = { left: 6, right: 52, top: 10, bottom: 22 };
const INNER = { width: WIDTH - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };

/** At most so many points a line: more cannot be distinguished at this width. */
const MOST = 400;

function thinned(points: readonly Point[], most = MOST): readonly Point[] {
  if (points.length <= most) return points;
  const every = points.length / most;
  const kept = Array.from({ length: most }, (_, i) => points[Math.floor(i * every)]!);
  return [...kept, points.at(-1)!];
}

/** An average that forgets: what a noisy line means. */
function smoothed(points: readonly Point[]): readonly Point[] {
  const keep = points.length < 20 ? 0 : Math.exp(-40 / points.length);
  let [sum, weight] = [0, 0];
  return points.map(({ x, y }) => {
    sum = keep * sum + (1 - keep) * y;
    weight = keep * weight + (1 - keep);
    return { x, y: sum / weight };
  });
}

/** From which to which value the chart goes: without the outermost hundredth of noisy values. */
function rangeOf(values: readonly number[]): readonly [number, number] {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return [0, 1];
  const cut = Math.floor(sorted.length / 100);
  const [low, high] = [sorted[cut]!, sorted[sorted.length - 1 - cut]!];
  const least = Math.max(Math.abs(high), 1e-9) * 1e-3;
  return high - low > least ? [low, high] : [low - least, high + least];
}

function pathOf(points: readonly Point[], toX: (x: number) => number, toY: (y: number) => number): string {
  return points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${toX(x).toFixed(1)} ${toY(y).toFixed(1)}`).join('');
}

const colour = (i: number): string => `var(--curve-${(i % 6) + 1})`;

/** The point whose x is nearest. */
function nearest(points: readonly Point[], x: number): Point | undefined {
  let best: Point | undefined;
  for (const point of points) if (!best || Math.abs(point.x - x) < Math.abs(best.x - x)) best = point;
  return best;
}

export function Chart({ title, hint, series, unit, format }: ChartProps) {
  const at = useSignal<number | undefined>(undefined);
  const drawn = series
    .map(({ name, points }) => {
      const raw = thinned(points.filter(({ y }) => Number.isFinite(y)));
      return { name, raw, line: smoothed(raw), last: raw.at(-1) };
    })
    .filter(({ raw }) => raw.length > 0);
  const all = drawn.flatMap(({ raw }) => raw);
  const [low, high] = rangeOf(all.map(({ y }) => y));
  const [first, last] = [Math.min(...all.map(({ x }) => x)), Math.max(...all.map(({ x }) => x))];
  const toX = (x: number) =>
    EDGE.left + (last > first ? ((x - first) / (last - first)) * INNER.width : INNER.width / 2);
  const toY = (y: number) => EDGE.top + (1 - (Math.min(high, Math.max(low, y)) - low) / (high - low)) * INNER.height;
  const onPointerMove = ({ clientX, currentTarget }: { clientX: number; currentTarget: SVGSVGElement }) => {
    const box = currentTarget.getBoundingClientRect();
    const x = ((clientX - box.left) / box.width) * WIDTH;
    at.value = first + (Math.min(1, Math.max(0, (x - EDGE.left) / INNER.width)) || 0) * (last - first);
  };
  const shown = drawn.map(({ name, line, last: end }) => {
    const point = at.value === undefined ? end : nearest(line, at.value);
    return { name, point };
  });
  const label = shown
    .map(({ name, point }) => `${series.length > 1 ? `${name}: ` : ''}${point ? format(point.y) : 'none'}`)
    .join(', ');
  return (
    <figure class="chart">
      <figcaption>
        <span class="label">{title}</span>
        <span class="chart-values">
          {shown.map(({ name, point }, i) => (
            <span key={name} style={{ color: colour(i) }}>
              {point ? format(point.y) : '–'}
            </span>
          ))}
        </span>
      </figcaption>
      {hint !== undefined && <p class="hint">{hint}</p>}
      {all.length === 0 ? (
        <p class="hint">No numbers yet</p>
      ) : (
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          role="img"
          aria-label={`${title}, ${unit} ${format(Math.round(first))} to ${format(Math.round(last))}: ${label}`}
          onPointerMove={onPointerMove}
          onPointerLeave={() => {
            at.value = undefined;
          }}
        >
          {[high, (low + high) / 2, low].map((y) => (
            <g key={y}>
              <line class="grid-line" x1={EDGE.left} x2={EDGE.left + INNER.width} y1={toY(y)} y2={toY(y)} />
              <text x={EDGE.left + INNER.width + 6} y={toY(y) + 4}>
                {format(y)}
              </text>
            </g>
          ))}
          <text x={EDGE.left} y={HEIGHT - 4}>
            {format(Math.round(first))}
          </text>
          <text x={EDGE.left + INNER.width} y={HEIGHT - 4} text-anchor="end">
            {unit} {format(Math.round(at.value ?? last))}
          </text>
          {drawn.map(({ name, raw, line }, i) => (
            <g key={name} fill="none" stroke={colour(i)}>
              {raw.length >= 20 && <path class="raw" d={pathOf(raw, toX, toY)} />}
              <path class="line" d={pathOf(line, toX, toY)} />
              {line.length === 1 && <circle cx={toX(line[0]!.x)} cy={toY(line[0]!.y)} r="2.5" />}
            </g>
          ))}
          {at.value !== undefined && (
            <line class="at" x1={toX(at.value)} x2={toX(at.value)} y1={EDGE.top} y2={EDGE.top + INNER.height} />
          )}
        </svg>
      )}
    </figure>
  );
}
