/**
 * The format of PyTorch before 1.6: five pickles in a row (a magic number, the version, the machine, the object, the
 * keys of its storages), then each storage's length and bytes.
 */
import { type ByteSource, damaged } from './bytes.ts';
import { Cursor } from './cursor.ts';
import { storageId } from './storage-id.ts';
import { elementBytes, Storage } from './tensors.ts';
import { type PersistentLoad, unpickle } from './unpickle.ts';
import type { Value } from './values.ts';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const VERSION = 1001;

/** @throws UserError for damage, and for a bare pickle, which is refused with the first global it names. */
export function readLegacy(source: ByteSource): Value {
  const cursor = new Cursor(source);
  const plain = () =>
    unpickle(cursor, () => {
      throw new Error('a storage stands where none belongs');
    });
  const [magic, version] = [plain(), plain()];
  if (magic !== MAGIC || version !== VERSION) throw damaged(source.label, 'it does not start as a checkpoint does');
  const machine = plain();
  if (!(machine instanceof Map) || machine.get('little_endian') !== true)
    throw damaged(source.label, 'it is big-endian');

  const storages = new LegacyStorages(source);
  const value = unpickle(cursor, (id) => storages.find(id));
  storages.locate(plain(), cursor.position);
  return value;
}

/** The storages of one file. Where they lie is known only after the object that names them has been read. */
class LegacyStorages {
  private readonly known = new Map<string, Storage>();
  private readonly begins = new Map<string, number>();

  constructor(private readonly source: ByteSource) {}

  readonly find: PersistentLoad = (id) => {
    const { dtype, key, length, view } = storageId(id);
    const root = this.known.get(key) ?? this.make(key, dtype, length);
    if (root.dtype !== dtype || root.length !== length) throw new Error(`storage ${key} is described in two ways`);
    return view ? root.view(view.offset, view.length) : root;
  };

  /** `keys` lists the storages in the order in which they follow each other from `begin`. */
  locate(keys: Value, begin: number): void {
    const { source, known } = this;
    if (!Array.isArray(keys) || keys.length !== known.size)
      throw damaged(source.label, 'its list of storages does not match');
    let at = begin;
    for (const key of keys) {
      const storage = typeof key === 'string' ? known.get(key) : undefined;
      if (!storage || this.begins.has(String(key))) throw damaged(source.label, 'its list of storages does not match');
      const next = at + 8 + storage.length * elementBytes(storage.dtype);
      if (next > source.size) throw damaged(source.label, 'it is cut off');
      if (new Cursor(source, at).unsigned(8) !== storage.length)
        throw damaged(source.label, `storage ${key} has another length`);
      this.begins.set(String(key), at + 8);
      at = next;
    }
  }

  private make(key: string, dtype: Storage['dtype'], length: number): Storage {
    const storage = new Storage(dtype, length, (begin, end) => {
      const at = this.begins.get(key)!;
      return this.source.read(at + begin, at + end);
    });
    this.known.set(key, storage);
    return storage;
  }
}
