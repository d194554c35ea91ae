/** Weights of published networks: a file that the user names, or the cache, which is filled from the publisher once. */

import { UserError } from '../../base/errors.ts';
import type { NDArray } from '../../base/ndarray.ts';
import { readSafetensors } from '../../checkpoint/safetensors.ts';
import { readTorch } from '../../checkpoint/torch/read.ts';
import { TorchTensor } from '../../checkpoint/torch/tensors.ts';
import type { RemoteFile } from '../../files/download.ts';
import { type PublishedSource, publishedFile } from '../published-file.ts';

export type WeightsSource = PublishedSource;

/**
 * The file with a network's weights, fetched if it is not there yet.
 * @throws UserError if it cannot be had.
 */
export const weightsFile = (published: RemoteFile, source: WeightsSource): Promise<string> =>
  publishedFile(published, 'networks', source);

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
