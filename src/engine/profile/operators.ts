/** Where a program's time goes, operator by operator, from ONNX Runtime's profile. */

import { sizeOf } from '../../base/ndarray.ts';

/** One execution of one operator. */
export interface Kernel {
  /** As in the ONNX graph after optimisation: `MatMul`, `QuickGelu`, … */
  readonly operator: string;
  /** `CPU`, `WebGPU`, …: where it ran. */
  readonly provider: string;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  /** In microseconds; the start counts from the session's creation. */
  readonly start: number;
  readonly duration: number;
  /** The shapes in words, where the operands are not known one by one. */
  readonly shapes?: string;
}

export interface Operand {
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** Executions of one kind of operator together. */
export interface OperatorTime {
  readonly operator: string;
  readonly provider: string;
  /** The shapes of its operands, where executions are counted by them. */
  readonly shapes?: string;
  readonly calls: number;
  readonly ms: number;
  /** Of the time of all operators, in [0, 1]. */
  readonly share: number;
  /** Of matrix products and convolutions. */
  readonly gflops?: number;
}

interface Event {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args: {
    readonly op_name?: string;
    readonly provider?: string;
    /** Of what ran on a GPU. */
    readonly shapes?: string;
    readonly input_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
    readonly output_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

/** What ONNX Runtime's profile of a session holds. */
export interface SessionProfile {
  /** Operators. Of a GPU, the host's time for handing them over. */
  readonly kernels: Kernel[];
  /** What the GPU itself ran and for how long, where WebGPU can say. Sizes of vectorised operands are in vectors. */
  readonly gpuKernels: Kernel[];
  /** When runs began (µs). */
  readonly runs: { start: number }[];
}

/** Reads the text of a profile that ONNX Runtime wrote. */
export function readProfile(text: string): SessionProfile {
  const events = JSON.parse(text) as Event[];
  const runs = events.filter(({ name }) => name === 'model_run').map(({ ts }) => ({ start: ts }));
  runs.sort((a, b) => a.start - b.start);
  const kernels = events.flatMap(({ cat, name, ts, dur, args }): Kernel[] => {
    if (cat !== 'Node' || !name.endsWith('_kernel_time')) return [];
    return [
      {
        operator: args.op_name ?? name,
        provider: (args.provider ?? '?').replace(/ExecutionProvider$/, ''),
        inputs: operands(args.input_type_shape),
        outputs: operands(args.output_type_shape),
        start: ts,
        duration: dur,
      },
    ];
  });
  const gpuKernels = events.flatMap(({ cat, name, ts, dur, args }): Kernel[] => {
    if (cat !== 'Api') return [];
    const [operator, shapes] = [name.split('&').at(-1)!, wordsOf(args.shapes ?? '')];
    return [{ operator, provider: 'GPU', inputs: [], outputs: [], start: ts, duration: dur, shapes }];
  });
  return { kernels, gpuKernels, runs };
}

/** `inputs[0] = {64,16} inputs[1] = {1} outputs[0] = {64,16} ` as `[64,16]·[1] → [64,16]`. */
function wordsOf(text: string): string {
  const of = (side: string) => [...text.matchAll(new RegExp(`${side}\\[\\d+\\] = \\{([\\d,]*)\\}`, 'g'))];
  const words = (side: string) =>
    of(side)
      .map(([, shape]) => `[${shape}]`)
      .join('·');
  return `${words('inputs')} → ${words('outputs')}`;
}

const operands = (described: Event['args']['input_type_shape'] = []): Operand[] =>
  described.flatMap((one) => Object.entries(one).map(([dtype, shape]) => ({ dtype, shape })));

/**
 * Times of operators, the longest first: those with the same operands together, or with `byShape` false all of a kind.
 */
export function operatorTimes(kernels: readonly Kernel[], { byShape }: { readonly byShape: boolean }): OperatorTime[] {
  const groups = new Map<string, Kernel[]>();
  for (const kernel of kernels) {
    const key = [kernel.operator, kernel.provider, byShape ? shapesOf(kernel) : ''].join('|');
    const group = groups.get(key);
    if (group) group.push(kernel);
    else groups.set(key, [kernel]);
  }
  const total = sum(kernels, ({ duration }) => duration);
  const times = [...groups.values()].map((group): OperatorTime => {
    const { operator, provider } = group[0]!;
    const micros = sum(group, ({ duration }) => duration);
    const flop = sum(group, flopOf);
    return {
      operator,
      provider,
      ...(byShape && { shapes: shapesOf(group[0]!) }),
      calls: group.length,
      ms: micros / 1000,
      share: micros / Math.max(1, total),
      ...(flop > 0 && { gflops: flop / Math.max(1, micros) / 1000 }),
    };
  });
  return times.sort((a, b) => b.ms - a.ms);
}

/** Floating-point operations of a matrix product or a convolution, a multiply-add counting two; 0 for all else. */
export function flopOf({ operator, inputs, outputs }: Pick<Kernel, 'operator' | 'inputs' | 'outputs'>): number {
  const [a, b, out] = [inputs[0]?.shape, inputs[1]?.shape, outputs[0]?.shape];
  if (!a || !b || !out) return 0;
  // Whichever operand is transposed, the first is rows of the result by what is summed over.
  if (/^(Fused)?MatMul$|^Gemm$/.test(operator)) {
    const summed = a.length < 2 ? (a[0] ?? 1) : (a.at(-1)! * a.at(-2)!) / (b.length < 2 ? a.at(-2)! : out.at(-2)!);
    return 2 * sizeOf(out) * summed;
  }
  if (/^(Fused|NhwcFused)?Conv$/.test(operator)) return 2 * sizeOf(out) * sizeOf(b.slice(1));
  if (operator === 'ConvTranspose') return 2 * sizeOf(a) * sizeOf(b.slice(1));
  return 0;
}

/** `[4,256]·[256,1024] → [4,1024]`. */
const shapesOf = ({ inputs, outputs, shapes }: Kernel): string =>
  shapes ??
  `${inputs.map(({ shape }) => `[${shape}]`).join('·')} → ${outputs.map(({ shape }) => `[${shape}]`).join('·')}`;

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0);
