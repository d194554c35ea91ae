/** Programs cut where ranks add up: parts that follow each other, with nothing but sums over the ranks between them. */

import { apply, input } from './ops.ts';
import type { Node, Tensor } from './tensor.ts';
import { operandsOf, type Program, schedule } from './trace.ts';

/** A part of a program. */
export interface Segment {
  /** Inputs and outputs of the whole under the names they have there, and what passes between segments. */
  readonly program: Program;
  /** Those of its outputs that are to be added up over the ranks before the next segment reads them. */
  readonly sums: readonly string[];
}

/**
 * The segments of a program, in order: one, unless there are sums over ranks. Sums that do not wait for each other are
 * made together, so there are as few segments as the longest chain of them allows. Everything is computed as late as
 * that allows, so that little waits in between; the outputs are all those of the last segment, so that no segment reads
 * what an earlier one has replaced.
 * @param nameOf the name of a value that passes between segments, by its number.
 */
export function segmentsOf(program: Program, nameOf: (index: number) => string): Segment[] {
  const nodes = schedule(program);
  if (!nodes.some(isSum)) return [{ program, sums: [] }];
  const places = placesOf(program, nodes);
  const passing = passingOf(nodes, places);
  const names = new Map([
    ...Object.entries(program.inputs).map(([path, t]): [Tensor, string] => [t, path]),
    ...passing.map(({ value }, i): [Tensor, string] => [value, nameOf(i)]),
  ]);

  const segments: Segment[] = [];
  for (let place = Math.min(...new Set(places.values())); place <= 0; place++) {
    const [inputs, here]: [Record<string, Tensor>, Map<Tensor, Tensor>] = [{}, new Map()];
    const at = (t: Tensor): Tensor => {
      if (t.node.op === 'constant') return t;
      const known = here.get(t);
      if (known) return known;
      const name = names.get(t)!;
      inputs[name] = input(name, t);
      here.set(t, inputs[name]);
      return inputs[name];
    };
    for (const node of nodes) {
      if (places.get(node) !== place || isLeaf(node) || isSum(node)) continue;
      const made = apply(node.op, operandsOf(node).map(at), node.attributes);
      node.outputs.forEach((t, i) => {
        here.set(t, made[i]!);
      });
    }
    const leaving = passing.filter(({ from }) => places.get(from.node) === place);
    const outputs = [
      ...leaving.map(({ value, from }) => [names.get(value)!, at(from)] as const),
      ...(place === 0 ? Object.entries(program.outputs).map(([path, t]) => [path, at(t)] as const) : []),
    ];
    const sums = leaving.filter(({ value }) => isSum(value.node)).map(({ value }) => names.get(value)!);
    segments.push({ program: { inputs, outputs: Object.fromEntries(outputs) }, sums });
  }
  return segments;
}

const isSum = ({ op }: Node): boolean => op === 'sumOverRanks';
const isLeaf = ({ op }: Node): boolean => op === 'input' || op === 'constant';

/** The segment of each node, the last being 0, those before it −1, −2, …; a sum's is the first that reads it. */
function placesOf(program: Program, nodes: readonly Node[]): ReadonlyMap<Node, number> {
  const places = new Map<Node, number>();
  const read = ({ node }: Tensor, place: number) => places.set(node, Math.min(place, places.get(node) ?? 0));
  for (const t of Object.values(program.outputs)) read(t, 0);
  for (const node of [...nodes].reverse())
    for (const x of operandsOf(node)) read(x, places.get(node)! - (isSum(node) ? 1 : 0));
  return places;
}

/** The values that later segments read, and what leaves its segment for each: it itself, or what is added up to it. */
function passingOf(nodes: readonly Node[], places: ReadonlyMap<Node, number>) {
  const passing = new Map<Tensor, { readonly value: Tensor; readonly from: Tensor }>();
  for (const node of nodes)
    if (isSum(node)) passing.set(node.outputs[0]!, { value: node.outputs[0]!, from: node.inputs[0]! });
    else
      for (const x of operandsOf(node))
        if (places.get(node)! > places.get(x.node)! && !isLeaf(x.node) && !isSum(x.node))
          passing.set(x, { value: x, from: x });
  return [...passing.values()];
}
