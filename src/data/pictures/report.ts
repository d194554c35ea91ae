/** What to know about pictures before training on them. */

import type { Rejected } from '../sources/containers/container.ts';
import { openContainer } from '../sources/containers/open.ts';
import type { Picture } from '../sources/inventory.ts';
import { picturesSource } from '../sources/pictures-source.ts';
import { type SelectionOptions, selectPictures } from '../sources/selection.ts';
import { type SharedInventoryOptions, takeSharedInventory } from '../sources/shared-inventory.ts';
import type { ImageSource } from '../sources/source.ts';
import { groupEqual, groupNear, type Impression, impressionFrom } from './duplicates.ts';

/** Least, middle and greatest of a quantity. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface PictureReport {
  readonly accepted: number;
  readonly rejected: readonly Rejected[];
  /** Pictures of each format. */
  readonly formats: Readonly<Record<string, number>>;
  /** Encoded bytes of all pictures together. */
  readonly bytes: number;
  readonly width: Spread;
  readonly height: Spread;
  /** Pictures of each shape, from tall to wide. */
  readonly aspects: readonly { readonly shape: string; readonly count: number }[];
  /**
   * Pictures that are not square, by more than a twentieth, and the share of their area that lies outside the middle
   * square.
   */
  readonly notSquare: { readonly count: number; readonly cut: number };
  /** Pictures whose short side is less than `side`: they are enlarged. */
  readonly tiny: { readonly side: number; readonly names: readonly string[] };
  /** Animations and files of several pages: the first is used. */
  readonly animated: readonly string[];
  /** Names of pictures of equal bytes, and of pictures that look the same. */
  readonly exactDuplicates: readonly (readonly string[])[];
  readonly nearDuplicates: readonly (readonly string[])[];
}

export interface ReportOptions
  extends Omit<SharedInventoryOptions, 'known' | 'onLine'>,
    Pick<SelectionOptions, 'exclude'> {
  /** Pictures with a shorter side are counted as tiny. */
  readonly side: number;
}

/**
 * Look at everything a path holds.
 * @throws UserError if it cannot be opened.
 */
export async function reportPictures(
  where: string,
  options: ReportOptions,
): Promise<{ readonly report: PictureReport; readonly source: ImageSource }> {
  const container = await openContainer(where);
  const impressions = new Map<string, Impression>();
  const { pictures: usable, rejected: unusable } = await takeSharedInventory(container, {
    ...options,
    onLine(line) {
      if ('picture' in line && line.impression !== undefined)
        impressions.set(line.name, impressionFrom(line.impression));
    },
  });
  const { pictures, left } = selectPictures(usable, { exclude: options.exclude });
  const rejected = [...unusable, ...left];
  const seen = pictures.map(({ name }) => impressions.get(name)!);
  return {
    report: { ...summary(pictures, seen, options.side), rejected },
    source: picturesSource(container, pictures, options),
  };
}

function summary(
  pictures: readonly Picture[],
  impressions: readonly Impression[],
  side: number,
): Omit<PictureReport, 'rejected'> {
  const namesIn = (group: readonly number[]) => group.map((i) => pictures[i]!.name);
  const exact = groupEqual(pictures.map(({ contentId }) => contentId));
  const isExact = new Set(exact.flatMap(([, ...copies]) => copies));
  // Of equal pictures one is enough to compare with the others.
  const different = pictures.map((_, i) => i).filter((i) => !isExact.has(i));
  const near = groupNear(different.map((i) => impressions[i]!)).map((group) => group.map((i) => different[i]!));
  return {
    accepted: pictures.length,
    formats: countBy(pictures.map(({ format }) => format)),
    bytes: pictures.reduce((sum, { bytes }) => sum + bytes, 0),
    width: spread(pictures.map(({ width }) => width)),
    height: spread(pictures.map(({ height }) => height)),
    aspects: aspects(pictures),
    notSquare: notSquare(pictures),
    tiny: { side, names: pictures.filter((p) => Math.min(p.width, p.height) < side).map(({ name }) => name) },
    animated: pictures.filter(({ pages }) => pages > 1).map(({ name }) => name),
    exactDuplicates: exact.map(namesIn),
    nearDuplicates: near.map(namesIn),
  };
}

function notSquare(pictures: readonly Picture[]): PictureReport['notSquare'] {
  const sides = pictures.map(({ width, height }) => Math.min(width, height) / Math.max(width, height));
  const oblong = sides.filter((ratio) => ratio < 0.95);
  return {
    count: oblong.length,
    cut: oblong.length === 0 ? 0 : oblong.reduce((sum, ratio) => sum + 1 - ratio, 0) / oblong.length,
  };
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { min: sorted[0] ?? 0, median: sorted[sorted.length >> 1] ?? 0, max: sorted.at(-1) ?? 0 };
}

function countBy(keys: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const key of [...keys].sort()) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}

/** Width to height, the upper edge of each shape. */
const SHAPES = [
  ['tall, beyond 1:2', 0.5],
  ['portrait, to 2:3', 2 / 3],
  ['portrait', 0.95],
  ['square', 1 / 0.95],
  ['landscape', 1.5],
  ['landscape, from 3:2', 2],
  ['wide, beyond 2:1', Number.POSITIVE_INFINITY],
] as const;

const aspects = (pictures: readonly Picture[]) =>
  SHAPES.map(([shape, edge], i) => {
    const low = SHAPES[i - 1]?.[1] ?? 0;
    const count = pictures.filter(({ width, height }) => width / height > low && width / height <= edge).length;
    return { shape, count };
  }).filter(({ count }) => count > 0);
