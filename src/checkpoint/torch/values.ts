/** What a pickle builds: plain values, tensors, and things that are only named. */
import type { Storage, TorchTensor } from './tensors.ts';

/**
 * Lists and tuples are arrays; dicts, of whatever class, are maps; numbers beyond 2^53 are bigint; bytes are
 * Uint8Array.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | TorchTensor
  | Storage
  | Named
  | NumpyType
  | Value[]
  | Map<Value, Value>
  | Set<Value>;

/** Makes a value from the arguments a pickle gives. @throws Error with the reason when they do not fit. */
export type Builder = (args: readonly Value[]) => Value;

/** A type or function of Python. The pickle may hold it, and call it where there is a builder in its place. */
export class Named {
  constructor(
    readonly name: string,
    readonly build?: Builder,
  ) {}
}

/** An element type of numpy: "f8". */
export class NumpyType {
  constructor(readonly code: string) {}
}
