/** Line charts as PNG: a few panels side by side, one colour a line, labels drawn as paths. */
import { sharp } from '../data/pictures/sharp.ts';
import { type TextStyle, textPath, textWidth } from './lettering.ts';

export interface Series {
  readonly label: string;
  /** In order of x. An error is drawn as a line from y − error to y + error. */
  readonly points: readonly { readonly x: number; readonly y: number; readonly error?: number }[];
  /** A single point of reference, drawn with a level line. */
  readonly isReference?: boolean;
}

export interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly series: readonly Series[];
  /** How a value of y is written. */
  readonly format: (y: number) => string;
}

export interface Chart {
  readonly title: string;
  readonly subtitle: string;
  readonly panels: readonly Panel[];
  /**
   * `points` (the default): x is logarithmic, every point a dot, those of different lines a little aside. `curves`: x
   * is linear, lines only.
   */
  readonly style?: 'points' | 'curves' | undefined;
}

const INK = '#17181c';
const QUIET = '#6b7280';
const GRID = '#e5e7eb';
const COLORS = [
  ...['#2563eb', '#e11d48', '#059669', '#d97706', '#7c3aed', '#0891b2', '#4b5563'],
  ...['#a16207', '#db2777', '#65a30d', '#111827'],
] as const;
const style = (size: number, color: string, weight: TextStyle['weight'] = 400): TextStyle => ({ weight, size, color });

const [WIDTH, HEIGHT] = [440, 320];
const MARGIN = { left: 64, right: 24, top: 36, bottom: 48 };
const [OUTER, HEADING] = [32, 60];
const COLUMNS = 2;
const LEGEND_LINE = 24;
/** Between points of different lines at the same x. */
const ASIDE = 4;
/** Room for them at both ends of a panel. */
const INSET = 14;

/** Draw the chart as a PNG. Throws a RangeError if there is nothing to draw. */
export async function drawChart({ title, subtitle, panels, style: kind = 'points' }: Chart): Promise<Buffer> {
  if (panels.every(({ series }) => series.every(({ points }) => points.length === 0)))
    throw new RangeError('drawChart: no points');
  const rows = Math.ceil(panels.length / COLUMNS);
  const labels = [...new Set(panels.flatMap(({ series }) => series.map(({ label }) => label)))];
  const width = 2 * OUTER + COLUMNS * WIDTH;
  const colorOf = (label: string) => COLORS[labels.indexOf(label) % COLORS.length]!;
  const named = legend(labels, width - OUTER, colorOf);
  const heading = HEADING + named.lines * LEGEND_LINE;
  const height = heading + rows * HEIGHT + 2 * OUTER;
  const parts = [
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    textPath(title, OUTER, OUTER + 20, style(22, INK, 600)),
    textPath(subtitle, OUTER, OUTER + 42, style(13, QUIET)),
    named.svg,
    ...panels.map((panel, i) =>
      drawPanel(panel, OUTER + (i % COLUMNS) * WIDTH, OUTER + heading + Math.floor(i / COLUMNS) * HEIGHT, {
        colorOf,
        isCurves: kind === 'curves',
      }),
    ),
  ];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${parts.join('')}</svg>`;
  return sharp(Buffer.from(svg)).png({ palette: true }).toBuffer();
}

/** The labels with their colours, in as many lines as they take. */
function legend(labels: readonly string[], right: number, colorOf: (label: string) => string) {
  const text = style(13, INK, 500);
  let [x, lines] = [OUTER, 1];
  const marks = labels.map((label) => {
    const width = 16 + textWidth(label, text);
    if (x > OUTER && x + width > right) [x, lines] = [OUTER, lines + 1];
    const y = OUTER + HEADING + (lines - 1) * LEGEND_LINE;
    const mark = `<circle cx="${x + 5}" cy="${y + 3}" r="5" fill="${colorOf(label)}"/>`;
    const out = mark + textPath(label, Math.round(x) + 16, y + 8, text);
    x += width + 22;
    return out;
  });
  return { svg: marks.join(''), lines };
}

interface PanelStyle {
  readonly colorOf: (label: string) => string;
  readonly isCurves: boolean;
}

function drawPanel(panel: Panel, left: number, top: number, { colorOf, isCurves }: PanelStyle): string {
  const all = panel.series.flatMap(({ points }) => points);
  const [lowX, highX] = [Math.min(...all.map(({ x }) => x)), Math.max(...all.map(({ x }) => x))];
  const [low, high] = padded(
    Math.min(...all.map(({ y, error = 0 }) => y - error)),
    Math.max(...all.map(({ y, error = 0 }) => y + error)),
  );
  const plot = { w: WIDTH - MARGIN.left - MARGIN.right, h: HEIGHT - MARGIN.top - MARGIN.bottom };
  const along = isCurves ? (x: number) => x - lowX : (x: number) => Math.log(x / lowX);
  const spanX = along(highX);
  const px = (x: number) => left + MARGIN.left + INSET + (plot.w - 2 * INSET) * (spanX > 0 ? along(x) / spanX : 0.5);
  const py = (y: number) => top + MARGIN.top + plot.h * (1 - (y - low) / (high - low));
  const ticksY = Array.from({ length: 5 }, (_, i) => low + ((high - low) * i) / 4);
  const small = style(11, QUIET);
  // Whole pixels: glyphs come out clean, and their outlines in short numbers.
  const write = (text: string, x: number, y: number) => textPath(text, Math.round(x), Math.round(y), small);
  const lines = panel.series.map(({ label, points, isReference }, i) => {
    const color = colorOf(label);
    const aside = (x: number) => px(x) + (isReference || isCurves ? 0 : ASIDE * (i - (panel.series.length - 1) / 2));
    const dots = points.map(({ x, y, error = 0 }) => {
      const at = aside(x).toFixed(1);
      const whisker =
        error > 0 ? `<path d="M${at} ${py(y - error)}V${py(y + error)}" stroke="${color}" stroke-opacity="0.5"/>` : '';
      return `${whisker}<circle cx="${at}" cy="${py(y)}" r="4" fill="${color}"/>`;
    });
    if (isReference) {
      const y = py(points[0]!.y);
      const level = `<line x1="${left + MARGIN.left}" x2="${left + MARGIN.left + plot.w}" y1="${y}" y2="${y}" stroke="${color}" stroke-width="1.5" stroke-dasharray="5 5"/>`;
      return level + dots.join('');
    }
    const path = points
      .map(({ x, y }, n) => `${n === 0 ? 'M' : 'L'}${aside(x).toFixed(1)} ${py(y).toFixed(1)}`)
      .join('');
    return `<path d="${path}" fill="none" stroke="${color}" stroke-width="2.2" stroke-linejoin="round"/>${isCurves ? '' : dots.join('')}`;
  });
  return [
    textPath(panel.title, left + MARGIN.left, top + 18, style(15, INK, 500)),
    ...ticksY.map((y) => {
      const text = panel.format(y);
      const grid = `<line x1="${left + MARGIN.left}" x2="${left + MARGIN.left + plot.w}" y1="${py(y)}" y2="${py(y)}" stroke="${GRID}"/>`;
      return grid + write(text, left + MARGIN.left - 8 - textWidth(text, small), py(y) + 4);
    }),
    ...(isCurves ? evenTicks(lowX, highX) : ticksX(all.map(({ x }) => x))).map((x) => {
      const text = x >= 10 || Number.isInteger(x) ? `${Math.round(x)}` : x.toPrecision(2);
      return write(text, px(x) - textWidth(text, small) / 2, top + HEIGHT - MARGIN.bottom + 18);
    }),
    write(panel.xLabel, left + MARGIN.left, top + HEIGHT - MARGIN.bottom + 36),
    ...lines,
  ].join('');
}

/** A little room above and below; a flat line gets some too. */
function padded(low: number, high: number): [number, number] {
  const room = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

/** Five whole values from end to end. */
const evenTicks = (low: number, high: number): number[] => [
  ...new Set(Array.from({ length: 5 }, (_, i) => Math.round(low + ((high - low) * i) / 4))),
];

/** Values of x that are far enough apart to be written, on a logarithmic axis. */
function ticksX(values: readonly number[]): number[] {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  const apart = Math.max(1.2, (sorted.at(-1)! / sorted[0]!) ** (1 / 12));
  const kept: number[] = [];
  for (const value of sorted) if (kept.length === 0 || value / kept.at(-1)! >= apart) kept.push(value);
  return kept;
}
