/** How the sheets of a run are named, for those who draw them and those who show them. */

import path from 'node:path';

/** Where sheets lie in a run. */
export const SHEET_FOLDER = 'samples';

/** The file of a stage's sheet after so many steps. */
export const sheetFile = (stage: string, step: number): string =>
  path.join(SHEET_FOLDER, `${stage}-${String(step).padStart(7, '0')}.png`);

/** The stage and the step that a file's name tells; undefined for what is no sheet. */
export function sheetOf(name: string): { readonly stage: string; readonly step: number } | undefined {
  const [, stage, step] = /^([a-z]+)-(\d{7,12})\.png$/.exec(name) ?? [];
  return stage === undefined ? undefined : { stage, step: Number(step) };
}
