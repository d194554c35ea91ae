/** Weights of published networks: a file that the user names, or the cache, which is filled from the publisher once. */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import type { NDArray } from '../../base/ndarray.ts';
import { option } from '../../base/options.ts';
import { cacheFolder } from '../../checkpoint/cache-folder.ts';
import { type DownloadOptions, download, type RemoteFile } from '../../checkpoint/download.ts';
import { readSafetensors } from '../../checkpoint/safetensors.ts';
import { readTorch } from '../../checkpoint/torch/read.ts';
import { TorchTensor } from '../../checkpoint/torch/tensors.ts';

export interface WeightsSource extends DownloadOptions {
  /** A file that holds them; nothing is downloaded then. */
  readonly file?: string | undefined;
  /** Take what the cache holds, and nothing from the network. */
  readonly offline?: boolean | undefined;
  /** The cache; by default the user's. */
  readonly cache?: string | undefined;
}

/**
 * The file with a network's weights, fetched if it is not there yet.
 * @throws UserError if it cannot be had.
 */
export async function weightsFile(published: RemoteFile, source: WeightsSource): Promise<string> {
  if (source.file !== undefined) {
    if (!fs.existsSync(source.file)) throw new UserError(`There is no file ${source.file}: fetch ${published.url}`);
    return source.file;
  }
  const target = path.join(source.cache ?? cacheFolder(), 'networks', path.posix.basename(published.url));
  if (fs.existsSync(target)) return target;
  if (source.offline)
    throw new UserError(
      `${path.dirname(target)} lacks ${path.basename(target)}, and nothing may be fetched: run once without ${option('offline')}`,
    );
  await download(published, target, { retries: 3, ...source });
  return target;
}

/**
 * The tensors of a state dict that `isWanted` names, from a PyTorch or a safetensors file.
 * @throws UserError if it is neither, or damaged.
 */
export function readWeights(file: string, isWanted: (name: string) => boolean): Record<string, NDArray> {
  if (file.endsWith('.safetensors')) {
    const { tensors } = readSafetensors(file);
    return Object.fromEntries(Object.entries(tensors).filter(([name]) => isWanted(name)));
  }
  const content = readTorch(file);
  if (!(content instanceof Map)) throw new UserError(`${file} is not a state dict: fetch the published file`);
  return Object.fromEntries(
    [...content].flatMap(([name, x]) =>
      typeof name === 'string' && x instanceof TorchTensor && isWanted(name) ? [[name, x.load()]] : [],
    ),
  );
}
