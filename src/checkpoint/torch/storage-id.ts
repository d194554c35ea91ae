/** How a pickle refers to a storage: ('storage', type, key, device, number of elements[, view]). */
import { STORAGE_TYPES, type TorchDType } from './tensors.ts';
import { Named, type Value } from './values.ts';

export interface StorageId {
  readonly dtype: TorchDType;
  readonly key: string;
  /** How many elements the storage has. */
  readonly length: number;
  /** The part that is meant, where it is not the whole; only in the format before PyTorch 1.6. */
  readonly view?: { readonly offset: number; readonly length: number };
}

/** @throws Error with the reason when this is not a reference to a storage, or the part is not within the whole. */
export function storageId(id: Value): StorageId {
  if (!Array.isArray(id)) throw new Error('it refers to something outside that is not a storage');
  const [kind, type, key, , length, part = null] = id;
  const dtype = type instanceof Named ? STORAGE_TYPES.get(type.name) : undefined;
  if (kind !== 'storage' || dtype === undefined || typeof key !== 'string' || !isCount(length))
    throw new Error('it refers to something outside that is not a storage');
  if (part === null) return { dtype, key, length };
  const [, offset, size] = Array.isArray(part) ? part : [];
  if (!isCount(offset) || !isCount(size) || offset + size > length)
    throw new Error(`storage ${key} is smaller than a part of it`);
  return { dtype, key, length, view: { offset, length: size } };
}

const isCount = (value: Value | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
