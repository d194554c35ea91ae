/**
 * What programs need in memory on the CPU, read off their graphs before anything runs. The engine computes it for each
 * program it compiles; training computes it for programs that it may compile.
 */

import { bytes } from '../../base/ndarray.ts';
import { type Program, schedule } from '../../graph/index.ts';
import type { CompileOptions } from '../executor.ts';
import { bufferPeak } from '../ort/scheduling.ts';
import { partition } from '../partition.ts';
import { isCut, isState, STATE } from '../state-paths.ts';

/** What one program needs, in bytes. */
export interface ProgramNeeds {
  /**
   * By path: state it reads or writes, with its second buffer where it has one, and gradients on their way to a fused
   * update.
   */
  readonly state: Readonly<Record<string, number>>;
  /** Intermediate values at their peak. */
  readonly activations: number;
  /** Whether that memory is kept between runs. */
  readonly arena: boolean;
  /** The phase in which it exists, if not always. */
  readonly phase: string | undefined;
  readonly feeds: number;
  /** Results for the caller. */
  readonly outputs: number;
  readonly constants: number;
  readonly nodes: number;
}

/** What all programs of an engine need together, in bytes. */
export interface Footprint {
  /** Parameters, optimiser state, averages and gradients: what stays between steps. */
  readonly state: number;
  /** Intermediate values of a step at their peak. */
  readonly activations: number;
  /** Feeds on their way in, results on their way out, and what of both waits to be collected. */
  readonly copies: number;
  /** The worker, the runtime and its sessions, constants included. */
  readonly programs: number;
}

/** The needs of a program of which the runtime computes `core`, while the rest is a fused update. */
export function needsOf(
  program: Program,
  core: Program,
  { inPlace = false, arena = !inPlace, phase }: CompileOptions,
): ProgramNeeds {
  const state: Record<string, number> = {};
  for (const [path, tensor] of Object.entries(program.inputs)) if (isState(path)) state[path] = bytes(tensor);
  for (const [path, tensor] of Object.entries(core.outputs))
    if (isState(path)) state[path] = (inPlace ? 1 : 2) * bytes(tensor);
    else if (isCut(path)) state[path] = bytes(tensor);
  const sum = (entries: Program['inputs'], keep: (path: string) => boolean) =>
    Object.entries(entries).reduce((total, [path, tensor]) => total + (keep(path) ? bytes(tensor) : 0), 0);
  const nodes = schedule(core);
  return {
    state,
    activations: bufferPeak(core),
    arena,
    phase,
    feeds: sum(core.inputs, (path) => !isState(path)),
    outputs: sum(core.outputs, (path) => !isState(path) && !isCut(path)),
    constants: nodes.reduce((total, { op, outputs }) => total + (op === 'constant' ? bytes(outputs[0]!) : 0), 0),
    nodes: nodes.length,
  };
}

/** A program that may be compiled, and how. */
export interface PlannedProgram extends CompileOptions {
  readonly name: string;
  readonly write: () => Program;
}

/** What an engine would need for programs that are not compiled yet. */
export const plannedFootprint = (programs: readonly PlannedProgram[]): Footprint =>
  footprint(
    programs.map(({ write, ...options }) => {
      const program = write();
      return needsOf(program, partition(program, 'cpu', options).core, options);
    }),
  );

/**
 * The worker with ONNX Runtime loaded (docs/performance.md), and the thread that starts it (`thread-host.ts`), as
 * measured.
 */
const ENGINE = 45e6 + 12e6;
/** A node in a session, with its trace, as measured. */
const NODE = 8e3;
/** Constants: in the file that is handed over, in the session, and laid out for its kernels. */
const CONSTANT_COPIES = 3;
/** V8 collects what lies outside its heap at about this much. */
const COLLECTED_BY_V8 = 64 * 2 ** 20;
/**
 * Batches that exist at once: the one that runs, the next one, both on their way to the worker, and one to be
 * collected.
 */
const FEED_COPIES = 5;

/** Parameters, which leave the worker at the end: as it holds them, and as files have them. */
const [MODEL, EXPORT_COPIES] = [`${STATE}.params.`, 2];

/** Programs of one engine together. */
export function footprint(programs: readonly ProgramNeeds[]): Footprint {
  const state = new Map<string, number>();
  for (const needs of programs)
    for (const [path, size] of Object.entries(needs.state)) {
      // Values between a core and its update belong to one program; state is shared.
      const key = isCut(path) ? `${programs.indexOf(needs)} ${path}` : path;
      state.set(key, Math.max(size, state.get(key) ?? 0));
    }
  const sum = (of: (needs: ProgramNeeds) => number) => programs.reduce((total, needs) => total + of(needs), 0);
  const most = (of: (needs: ProgramNeeds) => number) => Math.max(0, ...programs.map(of));
  const outputs = most((needs) => needs.outputs);
  const model = [...state].reduce((total, [path, size]) => total + (path.startsWith(MODEL) ? size : 0), 0);
  const uncollected = Math.max(outputs, COLLECTED_BY_V8);
  return {
    state: [...state.values()].reduce((total, size) => total + size, 0),
    activations: keptAtMost(programs) + most(({ arena, activations }) => (arena ? 0 : activations)),
    copies: FEED_COPIES * most(({ feeds }) => feeds) + outputs + uncollected + EXPORT_COPIES * model,
    programs: ENGINE + sum(({ nodes, constants }) => NODE * nodes + CONSTANT_COPIES * constants),
  };
}

/** The arenas of the phase that has most of them. */
function keptAtMost(programs: readonly ProgramNeeds[]): number {
  const kept = new Map<string | undefined, number>();
  for (const { arena, phase, activations } of programs)
    if (arena) kept.set(phase, (kept.get(phase) ?? 0) + activations);
  const always = kept.get(undefined) ?? 0;
  kept.delete(undefined);
  return always + Math.max(0, ...kept.values());
}

/** The sum of all parts. */
export const totalBytes = ({ state, activations, copies, programs }: Footprint): number =>
  state + activations + copies + programs;
