/**
 * Elementwise programs on the CPU, fused: each group of arrays that belong together is read and written once, by one loop that
 * works in float64 and overwrites what it read. An optimiser's update takes some twenty operators, each a pass over memory; fused it
 * is one pass, needs no second buffer, and hands nothing back across the border of the runtime.
 */

import type { Node, Primitive, Program, Tensor } from '../graph/index.ts';
import { schedule } from '../graph/index.ts';
import { sizeOf } from '../ndarray.ts';
import { isState } from './protocol.ts';

/** A fused program as data: what the engine sends to its worker. */
export interface FusedPlan {
  /** Body of a function of `x`, the values of `inputs`, that returns the list of all scalars. */
  readonly scalars: { readonly inputs: readonly string[]; readonly source: string };
  /** State of a single number: its path and which scalar it becomes. */
  readonly results: readonly { readonly path: string; readonly scalar: number }[];
  readonly loops: readonly FusedLoop[];
}

/** One loop over arrays of one size: a function of the count `n`, the scalars `s0…` and the arrays `a0…`. */
export interface FusedLoop {
  readonly source: string;
  readonly scalars: readonly number[];
  readonly arrays: readonly string[];
}

/** How a primitive of one or two numbers is said in JavaScript. */
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
  const groups = grouped(
    outputs.filter(([, t]) => !isScalar(t)),
    program,
  );
  const loops = groups.map((group) => writeLoop(group, names, scalars));
  return { scalars: scalars.finish(), results, loops };
}

function isFusible({ op, inputs, outputs }: Node): boolean {
  const [y] = outputs as [Tensor];
  if (y.dtype !== 'float32') return false;
  if (op === 'input') return true;
  if (op === 'constant') return isScalar(y);
  return op in expressions && inputs.every((x) => isScalar(x) || x.shape.join() === y.shape.join());
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
function grouped(outputs: readonly Output[], program: Program): Output[][] {
  const groups: { outputs: Output[]; touched: Set<Tensor> }[] = [];
  for (const output of outputs) {
    const touched = arraysBehind(output[1]).add(program.inputs[output[0]]!);
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

/** The inputs an array depends on that are arrays themselves. */
function arraysBehind(t: Tensor): Set<Tensor> {
  const found = new Set<Tensor>();
  const seen = new Set<Tensor>();
  const stack = [t];
  for (let next = stack.pop(); next; next = stack.pop()) {
    if (seen.has(next) || isScalar(next)) continue;
    seen.add(next);
    if (next.node.op === 'input') found.add(next);
    stack.push(...next.node.inputs);
  }
  return found;
}

function writeLoop(outputs: readonly Output[], names: ReadonlyMap<Tensor, string>, scalars: Scalars): FusedLoop {
  const [arrays, used, body]: [string[], number[], string[]] = [[], [], []];
  const written = new Map<Tensor, string>();
  const numbered = <T>(list: T[], item: T) => (list.includes(item) ? list.indexOf(item) : list.push(item) - 1);
  const say = (expression: string): string => {
    body.push(`const t${body.length} = ${expression};`);
    return `t${body.length - 1}`;
  };
  const value = (t: Tensor): string => {
    if (isScalar(t)) return `s${numbered(used, scalars.indexOf(t))}`;
    const known = written.get(t);
    if (known) return known;
    const { op, inputs } = t.node;
    const [a, b] = inputs;
    const name =
      op === 'input'
        ? say(`a${numbered(arrays, names.get(t)!)}[i]`)
        : op === 'div' && isScalar(b!)
          ? say(`${value(a!)} * s${numbered(used, scalars.reciprocalOf(b!))}`)
          : say(expressionOf(op, inputs.map(value)));
    written.set(t, name);
    return name;
  };
  // All is read before anything is written.
  const values = outputs.map(([, t]) => value(t));
  const stores = outputs.map(([path], i) => `a${numbered(arrays, path)}[i] = ${values[i]};`);
  return { source: `for (let i = 0; i < n; i++) {\n${[...body, ...stores].join('\n')}\n}`, scalars: used, arrays };
}
