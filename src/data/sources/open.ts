/** Turns the name of a data source (`faces`, a folder, a file) into an image source. */

import { UserError } from '../../base/errors.ts';
import { nothingUsable } from '../pictures/reasons.ts';
import type { Rejected } from './containers/container.ts';
import { openContainer } from './containers/open.ts';
import { type FaceRange, facesSource } from './faces/source.ts';
import { fashionSource } from './fashion-mnist.ts';
import { picturesSource } from './pictures-source.ts';
import { type SelectionOptions, selectPictures } from './selection.ts';
import { type SharedInventoryOptions, takeSharedInventory } from './shared-inventory.ts';
import type { ImageSource } from './source.ts';

/** Sources that are names, not paths (write `./faces` for a folder of that name). */
const NAMED_SOURCES = ['faces', 'fashion-mnist'] as const;

/** Whether a data source is a built-in set. */
export const isNamedSource = (spec: string): boolean => NAMED_SOURCES.some((name) => name === spec);

export interface OpenOptions extends SharedInventoryOptions, SelectionOptions {
  /** Which faces `faces` means. */
  readonly faces: FaceRange;
  /** What transparent pixels lie on. */
  readonly background?: string | undefined;
  /** Called with every picture that is left out, in order. Required, so that nothing is dropped unnoticed. */
  readonly onRejected: (rejected: Rejected) => void;
}

/**
 * Opens a built-in set (`faces`, `fashion-mnist`), or a folder, archive or table of pictures, each of which is looked
 * at first.
 * @throws UserError when it cannot be used or holds no usable picture.
 */
export async function openSource(spec: string, options: OpenOptions): Promise<ImageSource> {
  if (spec === 'faces') return facesSource(options.faces);
  if (spec === 'fashion-mnist') return fashionSource();
  const container = await openContainer(spec);
  const { pictures: usable, rejected: unusable } = await takeSharedInventory(container, options);
  const { pictures, left } = selectPictures(usable, options);
  const rejected = [...unusable, ...left];
  for (const one of rejected) options.onRejected(one);
  if (pictures.length === 0) {
    await container.close();
    throw new UserError(nothingUsable(spec, rejected));
  }
  return picturesSource(container, pictures, options);
}
