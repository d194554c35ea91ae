/** Writes checkpoints that `torch.load` reads, also with `weights_only=True`. */
import { bytesOf } from '../../base/ndarray.ts';
import { writeFileAtomic } from '../../files/atomic.ts';
import { pickle, type Writable } from './pickle.ts';
import { encodeZip, type ZipContent } from './zip-writer.ts';

/**
 * Saves nested plain values and tensors to `path`, in the zip format of PyTorch 1.6 and later. Equal values give equal
 * bytes.
 *
 * @throws UserError when the disk refuses; nothing is left behind then.
 */
export function writeTorch(path: string, value: Writable): void {
  writeFileAtomic(path, encodeTorch(value));
}

/** The bytes of such a file, in pieces that share memory with the tensors. */
export function encodeTorch(value: Writable): Iterable<Uint8Array> {
  const { pickle: program, storages } = pickle(value);
  const entry = (name: string, data: Uint8Array): ZipContent => ({ name: `archive/${name}`, data });
  return encodeZip([
    entry('data.pkl', program),
    entry('byteorder', Buffer.from('little')),
    ...storages.map((data, key) => entry(`data/${key}`, bytesOf(data))),
    entry('version', Buffer.from('3\n')),
  ]);
}
