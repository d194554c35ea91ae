/** A folder, with all folders in it. */

import { messageOf, UserError } from '../../../base/errors.ts';
import { walkFolder } from '../walk.ts';
import { bytesAt, type Container, fileSize, fileStamp, HEAD, maxEntryBytes, tooLarge, withFile } from './container.ts';

/**
 * Open a folder. Published layouts (FFHQ's numbered folders, COCO's `train2017`, …) are folders like any other; what
 * is no picture is found out when it is inspected.
 * @throws UserError if it is missing, no folder, unreadable or empty.
 */
export async function openFolder(folder: string): Promise<Container> {
  const { files, rejected } = await walkFolder(folder);
  if (files.length + rejected.length === 0)
    throw new UserError(
      `No pictures in ${folder}: the folder is empty, put JPEG, PNG, WebP, AVIF, GIF, TIFF or SVG files into it`,
    );
  /** The first `most` bytes of a file, or all. */
  const read = async (index: number, most = Number.POSITIVE_INFINITY): Promise<Uint8Array> => {
    try {
      return await withFile(files[index]!.file, async (handle) => {
        const { size } = await handle.stat();
        if (most > size && size > maxEntryBytes) throw new UserError(tooLarge(size));
        return bytesAt(handle, 0, Math.min(size, most));
      });
    } catch (error) {
      throw new UserError(`cannot be read: ${messageOf(error)}`);
    }
  };
  return {
    path: folder,
    names: files.map(({ name }) => name),
    rejected,
    read,
    head: (index) => read(index, HEAD),
    size: (index) => fileSize(files[index]!.file),
    stamp: (index) => fileStamp(files[index]!.file),
    close: async () => {},
  };
}
