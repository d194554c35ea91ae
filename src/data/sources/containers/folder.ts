/** A folder, with all folders in it. */

import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, UserError } from '../../../base/errors.ts';
import { walkFolder } from '../walk.ts';
import { type Container, fileStamp, maxEntryBytes, tooLarge } from './container.ts';

/**
 * Open a folder. Published layouts (FFHQ's numbered folders, COCO's `train2017`, …) are folders like any other; what
 * is no picture is found out when it is looked at.
 * @throws UserError if it is missing, no folder, unreadable or empty.
 */
export async function openFolder(folder: string): Promise<Container> {
  const { files, rejected } = await walkFolder(folder);
  if (files.length + rejected.length === 0)
    throw new UserError(
      `no pictures in ${folder}: the folder is empty, put JPEG, PNG, WebP, AVIF, GIF or TIFF files into it`,
    );
  return {
    path: folder,
    names: files,
    rejected,
    async read(index) {
      const file = path.join(folder, files[index]!);
      try {
        const { size } = await stat(file);
        if (size > maxEntryBytes) throw new UserError(tooLarge(size));
        return await readFile(file);
      } catch (error) {
        throw new UserError(`cannot be read: ${messageOf(error)}`);
      }
    },
    stamp: (index) => fileStamp(path.join(folder, files[index]!)),
    close: async () => {},
  };
}
