/** Outputs of a program as loops: what each computes for an element, and which arrays it reads and writes. */

import { sizeOf } from '../../base/ndarray.ts';
import type { Program, Tensor } from '../../graph/index.ts';
import { isScalar } from './arithmetic.ts';
import { type FusedLoop, isLoopOp, type LoopOperand, type LoopStep } from './plan.ts';
import type { Scalars } from './scalars.ts';

/** An array that a program writes, by its path. */
export type Output = readonly [path: string, tensor: Tensor];

/**
 * Loops for outputs, those that share an array in one.
 * @param names the paths of the arrays that the loops read.
 */
export function writeLoops(
  outputs: readonly Output[],
  names: ReadonlyMap<Tensor, string>,
  program: Program,
  scalars: Scalars,
): FusedLoop[] {
  return grouped(outputs, names, program).map((group) => writeLoop(group, names, scalars));
}

/** Outputs that read or write an array in common, directly or through others, go into one loop. */
function grouped(outputs: readonly Output[], names: ReadonlyMap<Tensor, string>, program: Program): Output[][] {
  const groups: { outputs: Output[]; touched: Set<Tensor> }[] = [];
  for (const output of outputs) {
    const touched = arraysBehind(output[1], names).add(program.inputs[output[0]]!);
    const group = { outputs: [output], touched };
    for (let i = groups.length - 1; i >= 0; i--) {
      const other = groups[i]!;
      if (![...touched].some((t) => other.touched.has(t))) continue;
      group.outputs.unshift(...other.outputs);
      for (const t of other.touched) touched.add(t);
      groups.splice(i, 1);
    }
    groups.push(group);
  }
  return groups.map((group) => group.outputs);
}

/** The arrays that a loop for one output reads. */
function arraysBehind(t: Tensor, names: ReadonlyMap<Tensor, string>): Set<Tensor> {
  const found = new Set<Tensor>();
  const seen = new Set<Tensor>();
  const stack = [t];
  for (let next = stack.pop(); next; next = stack.pop()) {
    if (seen.has(next) || isScalar(next)) continue;
    seen.add(next);
    if (names.has(next)) found.add(next);
    else stack.push(...next.node.inputs);
  }
  return found;
}

function writeLoop(outputs: readonly Output[], names: ReadonlyMap<Tensor, string>, scalars: Scalars): FusedLoop {
  const [arrays, used, steps]: [string[], number[], LoopStep[]] = [[], [], []];
  const written = new Map<Tensor, LoopOperand>();
  const numbered = <T>(list: T[], item: T) => (list.includes(item) ? list.indexOf(item) : list.push(item) - 1);
  const scalar = (index: number): LoopOperand => ({ scalar: numbered(used, index) });
  const value = (t: Tensor): LoopOperand => {
    if (isScalar(t)) return scalar(scalars.indexOf(t));
    const known = written.get(t);
    if (known) return known;
    const operand = { step: steps.push(stepOf(t)) - 1 };
    written.set(t, operand);
    return operand;
  };
  const stepOf = (t: Tensor): LoopStep => {
    const name = names.get(t);
    if (name !== undefined) return { load: numbered(arrays, name) };
    const { op, inputs } = t.node;
    const [a, b] = inputs;
    if (op === 'div' && isScalar(b!)) return { op: 'mul', operands: [value(a!), scalar(scalars.reciprocalOf(b!))] };
    if (!isLoopOp(op)) throw new Error(`There is no loop of ${op}`);
    return { op, operands: inputs.map(value) };
  };
  // All is read before anything is written.
  const values = outputs.map(([, t]) => value(t));
  const stores = outputs.map(([path], i) => ({ array: numbered(arrays, path), value: values[i]! }));
  return { steps, stores, arrays, size: sizeOf(outputs[0]![1].shape), scalars: used };
}
