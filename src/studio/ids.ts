/** Ids stand for folders and files, so that no request names a path. */

import { createHash } from 'node:crypto';

/** The id of a text, the same at every start. */
export const idOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
