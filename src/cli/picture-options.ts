/** Options for choosing among pictures, and the settings that they stand for. */

import { readText } from '../files/regular-file.ts';

export interface PictureOptions {
  /** A file of names to leave out. */
  readonly exclude?: string | undefined;
  /** Megapixels. */
  readonly maxPixels?: number | undefined;
}

/** The settings, as text, that the options stand for; none for options that were not given. */
export function pictureSettings({ exclude, maxPixels }: PictureOptions): Record<string, string> {
  return {
    ...(exclude !== undefined && { 'pictures.exclude': JSON.stringify(readNames(exclude)) }),
    ...(maxPixels !== undefined && { 'pictures.maxPixels': `${maxPixels}` }),
  };
}

/**
 * Names, one a line; blank lines and lines that begin with # are comments.
 * @throws UserError if the file cannot be read.
 */
export const readNames = (file: string): string[] =>
  readText(file)
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
