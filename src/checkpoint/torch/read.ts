/** Reads what `torch.save` has written, in today's zip format or the one before PyTorch 1.6, and runs nothing. */
import { UserError } from '../../base/errors.ts';
import { type ByteSource, damaged, fileBytes, memoryBytes } from './bytes.ts';
import { Cursor } from './cursor.ts';
import { readLegacy } from './legacy.ts';
import { storageId } from './storage-id.ts';
import { elementBytes, Storage } from './tensors.ts';
import { unpickle } from './unpickle.ts';
import type { Value } from './values.ts';
import { readEntry, readZipDirectory, type ZipEntry } from './zip.ts';

/**
 * The content of a checkpoint: dicts as maps, lists and tuples as arrays, tensors as TorchTensor, whose `load()`
 * fetches the values. Only the description is read here, so that of a large file no more than the wanted tensors enter
 * the memory.
 *
 * @throws UserError, one line: missing, damaged or foreign file, or the name of a Python global that is not allowed.
 */
export function readTorch(path: string): Value {
  return parseTorch(fileBytes(path));
}

/** `readTorch` for any source of bytes. */
export function parseTorch(source: ByteSource): Value {
  const [first, second] = source.read(0, Math.min(2, source.size));
  if (first === 0x50 && second === 0x4b) return readZip(source);
  if (first === 0x80) return readLegacy(source);
  throw new UserError(
    `${source.label}: not a PyTorch checkpoint; give a .ckpt, .pth or .pt file that torch.save has written`,
  );
}

const PICKLE = '/data.pkl';
const MAX_PICKLE_BYTES = 2 ** 26;

function readZip(source: ByteSource): Value {
  const entries = readZipDirectory(source);
  const pickle = [...entries.values()].find(({ name }) => name.endsWith(PICKLE));
  if (!pickle) throw damaged(source.label, `its archive has no ${PICKLE.slice(1)}`);
  const root = pickle.name.slice(0, -PICKLE.length);
  if (entries.has(`${root}/constants.pkl`))
    throw new UserError(`${source.label}: a TorchScript program, not a checkpoint; save its state_dict()`);
  if (pickle.size > MAX_PICKLE_BYTES) throw damaged(source.label, 'its pickle is too long');

  const verified = new Set<ZipEntry>();
  const whole = (entry: ZipEntry) => readEntry(source, entry, 0, entry.size, verified);
  const order = entries.get(`${root}/byteorder`);
  if (order && (order.size > 16 || Buffer.from(whole(order)).toString('latin1').trim() !== 'little')) {
    throw damaged(source.label, 'it is big-endian');
  }
  return unpickle(new Cursor(memoryBytes(whole(pickle), source.label)), (id) => {
    const { dtype, key, length } = storageId(id);
    const entry = entries.get(`${root}/data/${key}`);
    if (!entry) throw new Error(`it lacks storage ${key}`);
    if (entry.size !== length * elementBytes(dtype)) throw new Error(`storage ${key} has another length`);
    return new Storage(dtype, length, (begin, end) => readEntry(source, entry, begin, end, verified));
  });
}
