/** The single numbers of a program, as the source of one JavaScript function: they are computed in float64. */

import type { Node, Tensor } from '../../graph/index.ts';
import { expressions, isScalar } from './arithmetic.ts';
import type { FusedPlan } from './plan.ts';

/** The part of a program that computes single numbers, written out line by line. */
export class Scalars {
  private readonly inputs: string[] = [];
  private readonly lines: string[] = [];
  private readonly index = new Map<Tensor, number>();
  private readonly reciprocals = new Map<number, number>();
  private count = 0;

  /**
   * @param nodes of the program, in an order in which operands come first.
   * @param names the paths of its inputs.
   */
  constructor(
    nodes: readonly Node[],
    private readonly names: ReadonlyMap<Tensor, string>,
  ) {
    for (const node of nodes) {
      const [y] = node.outputs as [Tensor];
      if (isScalar(y)) this.index.set(y, this.line(this.expressionOf(node)));
    }
  }

  /** Its place in the list that the function returns. */
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

  /** The function, once all loops are written: they may add reciprocals. */
  finish(): FusedPlan['scalars'] {
    const all = Array.from({ length: this.count }, (_, i) => `k${i}`);
    return { inputs: this.inputs, source: `${this.lines.join('\n')}\nreturn [${all.join(', ')}];` };
  }

  private expressionOf({ op, inputs, outputs, attributes }: Node): string {
    if (op === 'input') return `x[${this.inputs.push(this.names.get(outputs[0]!)!) - 1}]`;
    if (op === 'constant') return String((attributes as Node<'constant'>['attributes']).value.data[0]);
    const [a = '', b = ''] = inputs.map((t) => `k${this.index.get(t)}`);
    return expressions[op]!(a, b);
  }

  /** Adds a line. @returns the number of the constant that it defines. */
  private line(expression: string): number {
    this.lines.push(`const k${this.count} = ${expression};`);
    return this.count++;
  }
}
