/** The optimiser cut off the end of a program: the rest needs the runtime, the update of state becomes loops. */

import type { Node, Program, Tensor } from '../../graph/index.ts';
import { schedule } from '../../graph/index.ts';
import { cutName, isState } from '../state-paths.ts';
import { isArithmetic, isScalar } from './arithmetic.ts';
import { writeLoops } from './loops.ts';
import type { FusedPlan } from './plan.ts';
import { Scalars } from './scalars.ts';

/** A program cut in two: what needs the runtime, and the fused update of state behind it. */
export interface SplitProgram {
  /** Computes everything else, and under names of their own (`isCut`) the values that the update reads. */
  readonly core: Program;
  readonly update: FusedPlan;
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
  const loops = writeLoops(updated, names, program, scalars);
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

/** Single numbers as nodes of which nothing is known but their value. */
const scalarLeaves = (tensors: Iterable<Tensor>): Node[] =>
  [...tensors].filter(isScalar).map((t) => (t.node.op === 'constant' ? t.node : leafOf(t)));

const leafOf = (t: Tensor): Node => ({ op: 'input', inputs: [], attributes: t.node.attributes, outputs: [t] }) as Node;

function neededInputs(program: Program, outputs: Program['outputs']): Program['inputs'] {
  const needed = new Set(schedule({ inputs: program.inputs, outputs }).flatMap((node) => node.outputs));
  return Object.fromEntries(Object.entries(program.inputs).filter(([path, t]) => !isState(path) || needed.has(t)));
}
