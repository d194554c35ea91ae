/** Turns what the user typed after `--data` into an image source. */
import { UserError } from '../errors.ts';
import { type FaceRange, facesSource } from './faces/source.ts';
import { checkFolder, folderSource } from './folder.ts';
import type { ImageSource, LoadOptions } from './source.ts';
import type { Rejected } from './walk.ts';

export interface OpenOptions extends LoadOptions {
  /** Which faces `faces` means. */
  readonly faces: FaceRange;
  /** Hears of every file that is left out, in order. Required, so that nothing is dropped in silence. */
  readonly onRejected: (rejected: Rejected) => void;
}

/**
 * Opens `faces`, the built-in set, or a folder of pictures, every file of which is checked first (write `./faces` for a folder of that name).
 * Throws a UserError when the folder cannot be used or none of its files is a usable picture.
 */
export async function openSource(spec: string, options: OpenOptions): Promise<ImageSource> {
  if (spec === 'faces') return facesSource(options.faces);
  const { accepted, rejected } = await checkFolder(spec, options);
  for (const file of rejected) options.onRejected(file);
  if (accepted.length === 0) {
    const [first] = rejected;
    throw new UserError(
      `no usable picture in ${spec}: ${rejected.length} rejected, the first (${first?.path}) ${first?.reason}`,
    );
  }
  return folderSource(spec, accepted);
}
