/**
 * Copies of state between host and device. ONNX Runtime in Node has no call for that, but what a program reads comes
 * from wherever it lies, and what it computes lies where its output belongs: programs that only copy.
 */

import { input, type Program } from '../graph/index.ts';
import type { Executable } from './executor.ts';
import type { Arrays, StateTensor } from './protocol.ts';

/** State by name. */
type Tensors = Readonly<Record<string, StateTensor>>;

/** Copies state by programs that are compiled once for each set of names. */
export class StateCopies {
  /** By the names of what they copy. */
  private readonly programs = new Map<string, Executable>();

  constructor(private readonly compile: (program: Program, name: string) => Promise<Executable>) {}

  /** Onto the device, in the place of what was there. */
  async upload(tensors: Tensors): Promise<void> {
    await (await this.program('upload', tensors, (name) => name)).run({});
  }

  /** To the host. */
  async fetch(tensors: Tensors): Promise<Arrays> {
    const arrays = await (await this.program('fetch', tensors, copied)).run({});
    return Object.fromEntries(Object.keys(tensors).map((name) => [name, arrays[copied(name)]!]));
  }

  private async program(name: string, tensors: Tensors, outputName: (name: string) => string): Promise<Executable> {
    const specs = Object.entries(tensors).map(([path, { dtype, shape }]) => [path, { dtype, shape }] as const);
    const key = JSON.stringify([name, specs]);
    const known = this.programs.get(key);
    if (known) return known;
    const inputs = specs.map(([path, spec]) => [path, input(path, spec)] as const);
    const outputs = Object.fromEntries(inputs.map(([path, tensor]) => [outputName(path), tensor]));
    const made = await this.compile({ inputs: Object.fromEntries(inputs), outputs }, name);
    this.programs.set(key, made);
    return made;
  }
}

/** Not state, and so handed over to the host. */
const copied = (name: string): string => `copy of ${name}`;
