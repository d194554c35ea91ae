/** Contact sheets: labelled rows of pictures as one PNG, the first thing anyone sees of a model. */

import type { RgbImage } from '../data/pictures/image.ts';
import { machineMadeXmp, XMP_KEYWORD } from '../data/pictures/made-by-machine.ts';
import { withText } from '../data/pictures/png-text.ts';
import { sharp } from '../data/pictures/sharp.ts';
import { type TextStyle, textPath, textWidth, wrapText } from './lettering.ts';

export interface SheetRow {
  readonly label: string;
  /** A second, quieter line under the label, such as a score. */
  readonly note?: string;
  readonly images: readonly RgbImage[];
  /** Indices of pictures to mark with a coloured frame, such as the best of N. */
  readonly highlight?: readonly number[];
}

/** What stands left and right of a line, from row `row` on: the columns before `column`, and those from it on. */
export interface SheetComparison {
  readonly row: number;
  readonly column: number;
  readonly names: readonly [string, string];
}

export interface Sheet {
  readonly title?: string;
  readonly subtitle?: string;
  /** What stands above each column of pictures. */
  readonly columns?: readonly string[];
  readonly rows: readonly SheetRow[];
  /** Two named groups of columns, from a row on. */
  readonly comparison?: SheetComparison;
  /**
   * Side of a picture on the sheet in pixels; 128 by default. Whole multiples keep every source pixel a clean square.
   */
  readonly tileSize?: number;
}

const ink = '#17181c';
const quiet = '#6b7280';
const paper = '#ffffff';
const accent = '#2563eb';
const styles = {
  title: { weight: 600, size: 26, color: ink },
  subtitle: { weight: 400, size: 14, color: quiet },
  label: { weight: 500, size: 15, color: ink },
  note: { weight: 400, size: 13, color: quiet },
  group: { weight: 600, size: 15, color: ink },
  otherGroup: { weight: 600, size: 15, color: accent },
} as const satisfies Record<string, TextStyle>;
const margin = 40;
const gutter = 28;
const gap = 8;
const labelWidth = 220;
const radius = 6;
const columnHeight = 24;
/** Of the names of two groups, and what parts the groups. */
const groupHeight = 54;
const groupGap = 24;
const PROGRAM = 'clip-vqdiffusion';

/**
 * Draws the sheet as PNG bytes, the same for the same input. Labels stand left of their pictures and wrap. A sheet
 * without any row throws a RangeError.
 */
export async function contactSheet(sheet: Sheet): Promise<Buffer> {
  if (sheet.rows.length === 0) throw new RangeError('contactSheet: no rows');
  const tile = sheet.tileSize ?? 128;
  const left = margin + labelWidth + gutter;
  const { comparison } = sheet;
  const xOf = (column: number, row: number): number =>
    left + column * (tile + gap) + (comparison && row >= comparison.row && column >= comparison.column ? groupGap : 0);
  const right = Math.max(...sheet.rows.map(({ images }, row) => xOf(images.length, row) - gap));
  const width = Math.ceil(Math.max(right, headingWidth(sheet)) + margin);
  const heading = drawHeading(sheet);
  const vectors = [heading.svg];
  const tiles: { input: Buffer; left: number; top: number }[] = [];
  let top = heading.bottom;
  if (sheet.columns) {
    vectors.push(drawColumns(sheet.columns, left, top, tile));
    top += columnHeight;
  }
  let parting = top;
  for (const [r, row] of sheet.rows.entries()) {
    if (comparison?.row === r) {
      parting = top + groupGap;
      vectors.push(drawGroups(comparison, left, xOf(comparison.column, r), parting));
      top += groupHeight;
    }
    const label = drawLabel(row, top, tile);
    vectors.push(label.svg);
    for (const [i, image] of row.images.entries()) {
      const x = xOf(i, r);
      tiles.push({ input: await scaled(image, tile), left: x, top });
      vectors.push(drawFrame(x, top, tile, row.highlight?.includes(i) ?? false));
    }
    top += Math.max(tile, label.height + gap) + gap;
  }
  if (comparison) vectors.push(drawParting(xOf(comparison.column, comparison.row), parting, top - gap));
  const height = Math.ceil(top - gap + margin);
  const overlay = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${vectors.join('')}</svg>`;
  const png = await sharp({ create: { width, height, channels: 3, background: paper } })
    .composite([...tiles, { input: Buffer.from(overlay), left: 0, top: 0 }])
    .removeAlpha()
    .png({ compressionLevel: 9 })
    .toBuffer();
  // A sheet that lies among pictures is not trained on.
  const xmp = machineMadeXmp('compositeWithTrainedAlgorithmicMedia', PROGRAM);
  return Buffer.from(withText(png, { Software: PROGRAM, [XMP_KEYWORD]: xmp }));
}

function headingWidth({ title = '', subtitle = '' }: Sheet): number {
  return margin + Math.max(textWidth(title, styles.title), textWidth(subtitle, styles.subtitle));
}

function drawHeading({ title, subtitle }: Sheet): { svg: string; bottom: number } {
  let svg = '';
  let baseline = margin;
  if (title !== undefined) {
    baseline += 20;
    svg += textPath(title, margin, baseline, styles.title);
  }
  if (subtitle !== undefined) {
    baseline += title === undefined ? 12 : 26;
    svg += textPath(subtitle, margin, baseline, styles.subtitle);
  }
  return { svg, bottom: svg === '' ? margin : baseline + 30 };
}

/** The names of the columns, each cut to the width of its pictures. */
const drawColumns = (columns: readonly string[], left: number, top: number, tile: number): string =>
  columns
    .map((name, i) =>
      textPath(wrapText(name, tile, styles.note, 1)[0] ?? '', left + i * (tile + gap), top + 13, styles.note),
    )
    .join('');

/** The names of two groups of columns, the second in the accent's colour. */
const drawGroups = ({ names }: SheetComparison, left: number, other: number, top: number): string =>
  textPath(names[0], left, top + 14, styles.group) + textPath(names[1], other, top + 14, styles.otherGroup);

/** The line between two groups. */
const drawParting = (other: number, top: number, bottom: number): string =>
  `<rect x="${other - (gap + groupGap) / 2 - 1}" y="${top}" width="2" height="${bottom - top}" fill="${accent}" fill-opacity="0.5"/>`;

/** The label and its note, centred on the height of the pictures beside them. */
function drawLabel({ label, note }: SheetRow, top: number, tile: number): { svg: string; height: number } {
  const lineHeight = 21;
  const lines = [
    ...wrapText(label, labelWidth, styles.label, 5).map((text) => ({ text, style: styles.label })),
    ...(note === undefined
      ? []
      : wrapText(note, labelWidth, styles.note, 2).map((text) => ({ text, style: styles.note }))),
  ];
  const height = lines.length * lineHeight;
  const start = top + Math.max(0, (tile - height) / 2) + 16;
  return {
    svg: lines.map(({ text, style }, i) => textPath(text, margin, start + i * lineHeight, style)).join(''),
    height,
  };
}

/** Rounds the corners with paper, and outlines the picture, which may itself be as white as the paper. */
function drawFrame(x: number, y: number, size: number, highlighted: boolean): string {
  const square = `M${x} ${y}h${size}v${size}h${-size}z`;
  const corners = `<path d="${square}${roundedSquare(x, y, size)}" fill="${paper}" fill-rule="evenodd"/>`;
  const stroke = highlighted ? `stroke="${accent}" stroke-width="3"` : 'stroke="#000" stroke-opacity="0.12"';
  const inset = highlighted ? 1 : 0.5;
  return `${corners}<path d="${roundedSquare(x + inset, y + inset, size - 2 * inset)}" fill="none" ${stroke}/>`;
}

function roundedSquare(x: number, y: number, size: number): string {
  const side = size - 2 * radius;
  const turn = (dx: number, dy: number): string => `a${radius} ${radius} 0 0 1 ${dx} ${dy}`;
  const [right, bottom] = [`h${side}${turn(radius, radius)}`, `v${side}${turn(-radius, radius)}`];
  const [left, top] = [`h${-side}${turn(-radius, -radius)}`, `v${-side}${turn(radius, -radius)}`];
  return `M${x + radius} ${y}${right}${bottom}${left}${top}z`;
}

/** Enlarges by whole factors without inventing pixels, otherwise resamples. */
async function scaled({ width, height, data }: RgbImage, size: number): Promise<Buffer> {
  const whole = size % width === 0 && size % height === 0;
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(size, size, { fit: 'contain', background: paper, kernel: whole ? 'nearest' : 'lanczos3' })
    .png({ compressionLevel: 0 })
    .toBuffer();
}
