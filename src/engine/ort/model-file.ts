/** ONNX files of others, or of an earlier run, as functions. */

import { ort } from './runtime.ts';

export interface ModelFileOptions {
  /** Threads inside one operator; 0 for one on each core. */
  readonly threads: number;
  /** The names of its one input and of the output to read. */
  readonly input: string;
  readonly output: string;
}

export interface Rows {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** A network of one input, on the CPU. */
export interface ModelFile {
  run(data: Float32Array | BigInt64Array, shape: readonly number[]): Promise<Rows>;
  release(): Promise<void>;
}

/**
 * Open a network.
 * @throws what ONNX Runtime throws for a file that is none; Error for one with other inputs or outputs.
 */
export async function openModelFile(file: string, { threads, input, output }: ModelFileOptions): Promise<ModelFile> {
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const { inputNames, outputNames } = session;
  if (inputNames.join() !== input || !outputNames.includes(output)) {
    await session.release();
    throw new Error(
      `it reads ${inputNames.join(', ')} and gives ${outputNames.join(', ')}, not ${input} and ${output}`,
    );
  }
  return {
    async run(data, shape) {
      const tensor =
        data instanceof Float32Array ? new ort.Tensor('float32', data, shape) : new ort.Tensor('int64', data, shape);
      const result = (await session.run({ [input]: tensor }, [output]))[output]!;
      if (!(result.data instanceof Float32Array)) throw new Error(`${output} is ${result.type}, not float32`);
      return { data: result.data, shape: result.dims };
    },
    release: () => session.release(),
  };
}
