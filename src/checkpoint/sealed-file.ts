import { type Finish, writeStreamAtomic } from '../files/atomic.ts';
import { SealSum, sealPlace } from './seal.ts';

/**
 * Writes a safetensors file piece by piece, atomically. If `front` (length and header) has a place for the checksum,
 * with its digits empty (`blankSeal`), they are filled in once all has been written.
 *
 * @throws UserError when the disk refuses; nothing is left behind then. What `data` throws passes through.
 */
export async function writeSealed(
  path: string,
  front: Uint8Array,
  data: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { beforeCommit }: Pick<Finish, 'beforeCommit'> = {},
): Promise<void> {
  const at = sealPlace(front);
  const sum = new SealSum();
  async function* summed(): AsyncGenerator<Uint8Array> {
    if (at !== undefined) sum.add(front);
    yield front;
    for await (const piece of data) {
      if (at !== undefined) sum.add(piece);
      yield piece;
    }
  }
  const patch = () => (at === undefined ? undefined : { at, bytes: sum.digits() });
  await writeStreamAtomic(path, summed(), { patch, beforeCommit });
}
