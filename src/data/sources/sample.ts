/** A random sample of what a path holds, for measuring: only what is shown is inspected. */

import { UserError } from '../../base/errors.ts';
import { permutation } from '../../random/noise.ts';
import type { Container } from './containers/container.ts';
import { openContainer } from './containers/open.ts';
import { type Picture, takeInventory } from './inventory.ts';
import { isNamedSource, type OpenOptions, openSource } from './open.ts';
import { picturesSource } from './pictures-source.ts';
import { selectPictures } from './selection.ts';
import { type ImageSource, partOf } from './source.ts';

export interface Sample {
  /** Pictures at most. */
  readonly count: number;
  /** The same seed chooses the same pictures of the same names. */
  readonly seed: number;
}

const STREAM = 'sample';

/** `count` pictures of a source, drawn without replacement, in the order of the source. */
export function sampleOf(source: ImageSource, { count, seed }: Sample): ImageSource {
  if (source.size <= count) return source;
  return partOf(source, permutation(seed, STREAM, 0, source.size).subarray(0, count).sort());
}

/**
 * `count` pictures of a built-in set, folder, archive or table. Of files, entries are inspected in random order until
 * enough can be used.
 * @throws UserError when it cannot be used or holds no usable picture.
 */
export async function openSample(where: string, sample: Sample, options: OpenOptions): Promise<ImageSource> {
  if (isNamedSource(where)) return sampleOf(await openSource(where, options), sample);
  const container = await openContainer(where);
  const order = permutation(sample.seed, STREAM, 0, container.names.length);
  const found: Picture[] = [];
  for (let next = 0; next < order.length && found.length < sample.count; ) {
    const rows = order.subarray(next, next + sample.count - found.length);
    next += rows.length;
    const { pictures, rejected } = await takeInventory(entriesOf(container, rows), options);
    const chosen = selectPictures(pictures, options);
    found.push(...chosen.pictures.map((picture) => ({ ...picture, index: rows[picture.index]! })));
    for (const one of [...rejected, ...chosen.left]) options.onRejected(one);
  }
  if (found.length > 0)
    return picturesSource(
      container,
      found.sort((a, b) => a.index - b.index),
      options,
    );
  await container.close();
  throw new UserError(`No usable picture in ${where}: clipvq data check ${where} shows why`);
}

/** Some entries of a container. */
const entriesOf = (container: Container, rows: Int32Array): Container => ({
  path: container.path,
  names: Array.from(rows, (row) => container.names[row]!),
  rejected: [],
  read: (index) => container.read(rows[index]!),
  head: (index) => container.head(rows[index]!),
  size: (index) => container.size(rows[index]!),
  stamp: (index) => container.stamp(rows[index]!),
  close: () => container.close(),
});
