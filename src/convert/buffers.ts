/**
 * What the reference stores beside the weights of its diffusion model: the noise schedule and the history of losses. An
 * import keeps them, so that an export gives back the same bits.
 */

import fs from 'node:fs';
import { float32, type NDArray } from '../base/ndarray.ts';
import { readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import type { Schedule } from '../diffusion/process/schedule.ts';
import type { RunDirectory } from '../run/directory.ts';
import { fingerprint } from '../stage/fingerprint.ts';

type Arrays = Readonly<Record<string, NDArray>>;

const FILE = 'buffers.safetensors';

/** Keep buffers with the weights they came with. */
export function saveBuffers(run: RunDirectory, weights: Arrays, buffers: Arrays): void {
  writeSafetensors(run.file('diffusion', FILE), buffers, { weights: identity(weights) });
}

/** The kept buffers, if there are any and the model has not been trained since. */
export function readBuffers(run: RunDirectory, weights: Arrays): Arrays | undefined {
  const file = run.file('diffusion', FILE);
  if (!fs.existsSync(file)) return undefined;
  const { tensors, metadata } = readSafetensors(file);
  return metadata.weights === identity(weights) ? tensors : undefined;
}

/** One parameter stands for all: every step of training moves it. */
function identity(weights: Arrays): string {
  const { buffer, byteOffset, byteLength } = weights['transformer.to_logits.1.bias']!.data;
  return fingerprint(new Uint8Array(buffer, byteOffset, byteLength));
}

/**
 * The buffers of the reference's DiffusionTransformer: logarithms of the schedule, [T] and [T + 1], computed in float64
 * and stored in float32, and an empty history of losses, [T].
 */
export function referenceBuffers(schedule: Schedule): Record<string, NDArray> {
  const { alpha, beta, gamma, alphaBar, betaBar, gammaBar, steps } = schedule;
  const row = (values: Float64Array, fn: (x: number) => number) =>
    float32(Float32Array.from(values, fn), [values.length]);
  // The reference adds 1e-40 against log 0.
  const logRest = (x: number) => Math.log(1 - x + 1e-40);
  return {
    log_at: row(alpha, Math.log),
    log_bt: row(beta, Math.log),
    log_ct: row(gamma, Math.log),
    log_cumprod_at: row(alphaBar, Math.log),
    log_cumprod_bt: row(betaBar, Math.log),
    log_cumprod_ct: row(gammaBar, Math.log),
    log_1_min_ct: row(gamma, logRest),
    log_1_min_cumprod_ct: row(gammaBar, logRest),
    Lt_history: float32(new Float32Array(steps), [steps]),
    Lt_count: float32(new Float32Array(steps), [steps]),
  };
}
