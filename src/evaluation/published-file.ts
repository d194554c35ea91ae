/** Published files that evaluations are defined on: fetched once into the cache, by address and checksum. */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import { cacheFolder } from '../files/cache-folder.ts';
import { type DownloadOptions, download, type RemoteFile } from '../files/download.ts';

export interface PublishedSource extends DownloadOptions {
  /** A file that holds the same; nothing is downloaded then. */
  readonly file?: string | undefined;
  /** Take what the cache holds, and nothing from the network. */
  readonly offline?: boolean | undefined;
  /** The cache; by default the user's. */
  readonly cache?: string | undefined;
}

/**
 * A published file in a folder of the cache, fetched if it is not there yet.
 * @param name of the file in the cache; by default that of its address.
 * @throws UserError if it cannot be had.
 */
export async function publishedFile(
  published: RemoteFile,
  folder: string,
  source: PublishedSource,
  name = path.posix.basename(published.url),
): Promise<string> {
  if (source.file !== undefined) {
    if (!fs.existsSync(source.file)) throw new UserError(`There is no file ${source.file}: fetch ${published.url}`);
    return source.file;
  }
  const target = path.join(source.cache ?? cacheFolder(), folder, name);
  if (fs.existsSync(target)) return target;
  if (source.offline)
    throw new UserError(
      `${path.dirname(target)} lacks ${path.basename(target)}, and nothing may be fetched: run once without ${option('offline')}`,
    );
  await download(published, target, { retries: 3, ...source });
  return target;
}
