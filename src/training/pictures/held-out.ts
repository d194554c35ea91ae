/** Pictures that no stage of a run learns from, so that it can be measured on them. */

import { isNamedSource } from '../../data/sources/open.ts';
import { isPairsFile } from '../../data/sources/pairs.ts';
import { type ImageSource, partOf } from '../../data/sources/source.ts';

/** Of the pictures of a new run on files. Built-in sets have pictures enough for measuring. */
const NEW_RUNS = '0.05';

/** Patience of a CLIP on captions of the user, in measurements on held-out pairs. Drawn captions never run out. */
const PATIENCE = '5';

/** The changes of a new run's recipe, with the share that it holds out by default, and when its CLIP stops. */
export const holdingOut = <Value>(
  data: string,
  changes: Readonly<Record<string, Value>> = {},
): Record<string, Value | string> =>
  isNamedSource(data)
    ? { ...changes }
    : {
        'pictures.holdOut': NEW_RUNS,
        ...(isPairsFile(data) && { 'clip.patience': PATIENCE }),
        ...changes,
      };

/** By content alone, so that a picture stays on its side whatever joins it, and however it is called. */
const isHeldOut = (contentId: string, share: number): boolean =>
  Number.parseInt(contentId.slice(0, 8), 16) < share * 2 ** 32;

/** A source in two: what is trained on, and about `share` of it, which is not. */
export function heldApart(source: ImageSource, share: number): { training: ImageSource; heldOut: ImageSource } {
  const rows: [number[], number[]] = [[], []];
  for (let row = 0; row < source.size; row++) rows[isHeldOut(source.contentId(row), share) ? 1 : 0].push(row);
  const [training, heldOut] = rows.map((some) => partOf(source, Int32Array.from(some))) as [ImageSource, ImageSource];
  return { training: rows[1].length === 0 ? source : training, heldOut };
}
