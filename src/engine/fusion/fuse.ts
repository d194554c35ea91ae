/**
 * Elementwise programs on the CPU, fused: each group of arrays that belong together is read and written once, by one
 * loop that overwrites what it read (`simd.ts`); single numbers are computed in float64. An optimiser's update takes
 * some twenty operators, each a pass over memory; fused it is one pass, needs no second buffer, and hands nothing back
 * across the border of the runtime.
 */

import { sizeOf } from '../../base/ndarray.ts';
import type { Node, Primitive, Program, Tensor } from '../../graph/index.ts';
import { schedule } from '../../graph/index.ts';
import { cutName, isState } from '../state-paths.ts';

/** A fused program as data: what the engine sends to its worker. */
export interface FusedPlan {
  /** Body of a function of `x`, the values of `inputs`, that returns the list of all scalars. */
  readonly scalars: { readonly inputs: readonly string[]; readonly source: string };
  /** State of a single number: its path and which scalar it becomes. */
  readonly results: readonly { readonly path: string; readonly scalar: number }[];
  readonly loops: readonly FusedLoop[];
}

/** A program cut in two: what needs the runtime, and the fused update of state behind it. */
export interface SplitProgram {
  /** Computes everything else, and under names of their own (`isCut`) the values that the update reads. */
  readonly core: Program;
  readonly update: FusedPlan;
}

/** One loop over arrays of one size. */
export interface FusedLoop {
  /** What it computes for each element, in order. */
  readonly steps: readonly LoopStep[];
  /** Which values go into which arrays, once all are computed. */
  readonly stores: readonly { readonly array: number; readonly value: LoopOperand }[];
  /** Paths of the arrays. */
  readonly arrays: readonly string[];
  /** Elements of each. */
  readonly size: number;
  /** Which of the plan's scalars it reads. */
  readonly scalars: readonly number[];
}

export type LoopStep = { readonly load: number } | { readonly op: LoopOp; readonly operands: readonly LoopOperand[] };

/** The value of an earlier step, or a scalar, by its place in `scalars`. */
export type LoopOperand = { readonly step: number } | { readonly scalar: number };

/** The primitives that loops over arrays are made of: those that WebAssembly computes four at a time. */
const loopOps = ['neg', 'sqrt', 'abs', 'add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const;
export type LoopOp = (typeof loopOps)[number];
const isLoopOp = (op: Primitive): op is LoopOp => (loopOps as readonly Primitive[]).includes(op);

/** A primitive of one or two numbers in JavaScript. */
const expressions: { readonly [P in Primitive]?: (a: string, b: string) => string } = {
  neg: (a) => `-${a}`,
  exp: (a) => `Math.exp(${a})`,
  log: (a) => `Math.log(${a})`,
  sqrt: (a) => `Math.sqrt(${a})`,
  abs: (a) => `Math.abs(${a})`,
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  maximum: (a, b) => `Math.max(${a}, ${b})`,
  minimum: (a, b) => `Math.min(${a}, ${b})`,
};

const isScalar = (t: Tensor): boolean => sizeOf(t.shape) === 1;

/** The plan of a program, or undefined if it is not made of float32 arithmetic, element by element, on state. */
export function fuse(program: Program): FusedPlan | undefined {
  const nodes = schedule(program);
  const [inputs, outputs] = [Object.entries(program.inputs), Object.entries(program.outputs)];
  const names = new Map(inputs.map(([path, tensor]) => [tensor, path]));
  if (!nodes.every(isFusible)) return undefined;
  if (!outputs.every(([path]) => isState(path) && path in program.inputs)) return undefined;
  if (!inputs.every(([path, t]) => isScalar(t) || isState(path))) return undefined;

  const scalars = new Scalars(nodes, names);
  const results = outputs.filter(([, t]) => isScalar(t)).map(([path, t]) => ({ path, scalar: scalars.indexOf(t) }));
  const arrays = outputs.filter(([, t]) => !isScalar(t));
  const loops = grouped(arrays, names, program).map((group) => writeLoop(group, names, scalars));
  return { scalars: scalars.finish(), results, loops };
}

/**
 * Cut the elementwise update of state off the end of a program: the optimiser behind a backward pass. What the update
 * reads of the rest, gradients and single numbers, becomes outputs of the core.
 * @returns undefined if nothing in the program updates state so.
 */
export function splitUpdate(program: Program): SplitProgram | undefined {
  const stateInputs = new Map(Object.entries(program.inputs).filter(([path]) => isState(path)));
  const updates = updatesIn(program);
  const updated = Object.entries(program.outputs).filter(([path, t]) => {
    const before = stateInputs.get(path);
    return before !== undefined && t !== before && before.shape.join() === t.shape.join() && updates.has(t);
  });
  if (updated.length === 0) return undefined;

  const names = new Map([...stateInputs].filter(([, t]) => !isScalar(t)).map(([path, t]) => [t, path]));
  const cuts: Record<string, Tensor> = {};
  const cut = (t: Tensor) => {
    if (names.has(t) || t.node.op === 'constant') return;
    names.set(t, cutName(names.size));
    cuts[names.get(t)!] = t;
  };
  const seen = new Set<Tensor>();
  const visit = (t: Tensor): void => {
    if (seen.has(t)) return;
    seen.add(t);
    if (isScalar(t) || !(updates.has(t) || isAlong(t))) cut(t);
    else t.node.inputs.forEach(visit);
  };
  for (const [, t] of updated) visit(t);

  const kept = new Map(updated);
  const outputs = {
    ...Object.fromEntries(Object.entries(program.outputs).filter(([path]) => !kept.has(path))),
    ...cuts,
  };
  const core = { inputs: neededInputs(program, outputs), outputs };
  const scalars = new Scalars(scalarLeaves(seen), names);
  const loops = grouped(updated, names, program).map((group) => writeLoop(group, names, scalars));
  return { core, update: { scalars: scalars.finish(), results: [], loops } };
}

/** All that is arithmetic, element by element, on state: state itself, and operations with such an operand. */
function updatesIn(program: Program): ReadonlySet<Tensor> {
  const found = new Set(
    Object.entries(program.inputs).flatMap(([path, t]) => (isState(path) && !isScalar(t) ? [t] : [])),
  );
  for (const node of schedule(program)) {
    const [y] = node.outputs as [Tensor];
    if (!isScalar(y) && isArithmetic(node) && node.inputs.some((x) => found.has(x))) found.add(y);
  }
  return found;
}

/**
 * Whether a tensor is arithmetic on one array and numbers: a scaled or squared gradient is computed where it is used.
 */
function isAlong({ node }: Tensor): boolean {
  return isArithmetic(node) && new Set(node.inputs.filter((x) => !isScalar(x))).size === 1;
}

const isArithmetic = (node: Node): boolean => node.op in expressions && isFusible(node);

/** Single numbers as nodes of which nothing is known but their value. */
const scalarLeaves = (tensors: Iterable<Tensor>): Node[] =>
  [...tensors]
    .filter(isScalar)
    .map(
      (t) =>
        (t.node.op === 'constant'
          ? t.node
          : { op: 'input', inputs: [], attributes: t.node.attributes, outputs: [t] }) as Node,
    );

function neededInputs(program: Program, outputs: Program['outputs']): Program['inputs'] {
  const needed = new Set(schedule({ inputs: program.inputs, outputs }).flatMap((node) => node.outputs));
  return Object.fromEntries(Object.entries(program.inputs).filter(([path, t]) => !isState(path) || needed.has(t)));
}

function isFusible({ op, inputs, outputs }: Node): boolean {
  const [y] = outputs as [Tensor];
  if (y.dtype !== 'float32') return false;
  if (op === 'input') return true;
  if (op === 'constant') return isScalar(y);
  if (isScalar(y)) return op in expressions && inputs.every(isScalar);
  return isLoopOp(op) && inputs.every((x) => isScalar(x) || x.shape.join() === y.shape.join());
}

/** The part of the program that computes single numbers, written out line by line. */
class Scalars {
  private readonly inputs: string[] = [];
  private readonly lines: string[] = [];
  private readonly index = new Map<Tensor, number>();
  private readonly reciprocals = new Map<number, number>();
  private count = 0;

  constructor(nodes: readonly Node[], names: ReadonlyMap<Tensor, string>) {
    for (const { op, inputs, outputs, attributes } of nodes) {
      const [y] = outputs as [Tensor];
      if (!isScalar(y)) continue;
      if (op === 'input') this.index.set(y, this.line(`x[${this.inputs.push(names.get(y)!) - 1}]`));
      else if (op === 'constant')
        this.index.set(y, this.line(String((attributes as Node<'constant'>['attributes']).value.data[0])));
      else
        this.index.set(
          y,
          this.line(
            expressionOf(
              op,
              inputs.map((t) => `k${this.index.get(t)}`),
            ),
          ),
        );
    }
  }

  indexOf(t: Tensor): number {
    return this.index.get(t)!;
  }

  /** 1 / scalar: a loop multiplies faster than it divides. */
  reciprocalOf(t: Tensor): number {
    const of = this.indexOf(t);
    const at = this.reciprocals.get(of) ?? this.line(`1 / k${of}`);
    this.reciprocals.set(of, at);
    return at;
  }

  finish(): FusedPlan['scalars'] {
    const all = Array.from({ length: this.count }, (_, i) => `k${i}`);
    return { inputs: this.inputs, source: `${this.lines.join('\n')}\nreturn [${all.join(', ')}];` };
  }

  private line(expression: string): number {
    this.lines.push(`const k${this.count} = ${expression};`);
    return this.count++;
  }
}

const expressionOf = (op: Primitive, operands: readonly string[]): string =>
  expressions[op]!(operands[0]!, operands[1] ?? '');

type Output = readonly [path: string, tensor: Tensor];

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
