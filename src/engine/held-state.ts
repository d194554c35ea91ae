/** The state that the engine's worker holds between runs: tensors by path, on the host or on the device. */

import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { type DType, joined, type NDArray } from '../base/ndarray.ts';
import type { Arrays, StateTensor } from './protocol.ts';
import { fromTensor, toTensor } from './tensors.ts';

/** Tensors by the full path of their state. */
export class HeldState {
  private readonly tensors = new Map<string, Tensor>();
  /**
   * On the CPU a step writes new state into the buffers of the state before last: two buffers alternate, and nothing is
   * allocated.
   */
  private readonly spare = new Map<string, Tensor>();
  /** On a device a tensor lies in memory of the session that made it, and must not outlive it. */
  private readonly homes = new Map<Tensor, InferenceSession>();

  constructor(private readonly onDevice: boolean) {}

  /** @throws Error if there is none. */
  at(name: string): Tensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`The state holds no ${name}: load it before running`);
    return tensor;
  }

  /**
   * On the CPU, memory for what comes next under a name, if there is some: in place that of the last value, otherwise
   * of the one before.
   */
  memoryFor(name: string, inPlace: boolean): Tensor | undefined {
    return (inPlace ? this.tensors : this.spare).get(name);
  }

  /** Puts what a session made in the place of what was there. */
  replace(name: string, next: Tensor, session: InferenceSession): void {
    const old = this.tensors.get(name);
    this.tensors.set(name, next);
    if (this.onDevice) this.homes.set(next, session);
    if (!old || old === next) return;
    if (this.onDevice) this.dispose(old);
    else this.spare.set(name, old);
  }

  load(name: string, array: NDArray): void {
    this.remove(name);
    this.tensors.set(name, toTensor(array));
  }

  read(names: readonly string[]): Arrays {
    return Object.fromEntries(names.map((name) => [name, fromTensor(this.at(name))]));
  }

  /** Float32 tensors on the host one after another, as one array. */
  pack(names: readonly string[]): Float32Array<ArrayBuffer> {
    return joined(names.map((name) => this.at(name).data as Float32Array));
  }

  /** The inverse of `pack`: the values of tensors on the host are overwritten. */
  unpack(names: readonly string[], data: Float32Array): void {
    let at = 0;
    for (const name of names) {
      const part = this.at(name).data as Float32Array;
      part.set(data.subarray(at, at + part.length));
      at += part.length;
    }
  }

  describe(prefix: string): Record<string, StateTensor> {
    const described = (name: string): [string, StateTensor] => {
      const { type, dims, location } = this.at(name);
      return [name, { dtype: type as DType, shape: dims, location }];
    };
    return Object.fromEntries(this.under(prefix).map(described));
  }

  drop(prefix: string): void {
    for (const name of this.under(prefix)) this.remove(name);
  }

  /** Whether some of it lies in memory of a session. */
  liesIn(session: InferenceSession): boolean {
    return [...this.homes.values()].includes(session);
  }

  private under(prefix: string): string[] {
    return [...this.tensors.keys()].filter((name) => name === prefix || name.startsWith(`${prefix}.`));
  }

  private remove(name: string): void {
    const tensor = this.tensors.get(name);
    if (tensor && this.onDevice) this.dispose(tensor);
    this.tensors.delete(name);
    this.spare.delete(name);
  }

  private dispose(tensor: Tensor): void {
    this.homes.delete(tensor);
    tensor.dispose();
  }
}
