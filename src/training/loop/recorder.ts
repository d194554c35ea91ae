/**
 * What a run keeps of its pace and its state beside the log of every step: `metrics.jsonl`, and event files for
 * TensorBoard.
 */

import { createHash } from 'node:crypto';
import path from 'node:path';
import type { NDArray } from '../../base/ndarray.ts';
import { flatten } from '../../base/tree.ts';
import type { Engine } from '../../engine/engine.ts';
import { makeFolder } from '../../files/atomic.ts';
import type { RunDirectory } from '../../run/directory.ts';
import { appendRecords, EVENTS_FOLDER, eventsFile, scalarsRecord, versionRecord } from '../../run/tensorboard.ts';
import type { Metrics } from '../../stage/stage.ts';

/** Steps between two entries; the first and the last step of a stage, and those with hashes, have one anyway. */
const RECORD_EVERY = 10;

export interface RecordedStep {
  /** Steps done. */
  readonly step: number;
  /** Steps a second, lately. */
  readonly rate: number;
  /** Share of the time, lately, in which the stage waited for pictures. */
  readonly waiting: number | undefined;
  readonly learningRate: number | undefined;
  readonly metrics: Metrics;
  readonly hashes: StateHashes | undefined;
}

/** SHA-256, 16 hex digits, over names and bytes of the engine's state. */
export interface StateHashes {
  /** The weights, as the engine holds them. */
  readonly weights: string;
  /** Adam's running mean of the gradients: it differs from the first step on at which a gradient has differed. */
  readonly gradients: string;
}

/** Writes the entries of one stage. */
export class Recorder {
  private events: string | undefined;
  private isFirst = true;

  constructor(
    private readonly run: RunDirectory,
    private readonly stage: string,
    private readonly end: number,
  ) {}

  step({ step, rate, waiting, learningRate, metrics, hashes }: RecordedStep): void {
    if (!this.isFirst && step !== this.end && step % RECORD_EVERY !== 0 && !hashes) return;
    this.isFirst = false;
    const now = Date.now();
    const pace = { rate: Number(rate.toPrecision(4)), ...(waiting !== undefined && { waiting: round(waiting) }) };
    const numbers = { ...metrics, ...pace, ...(learningRate !== undefined && { learningRate }) };
    const entry = { stage: this.stage, step, time: new Date(now).toISOString() };
    this.run.log({ ...entry, ...numbers, ...hashes }, 'metrics.jsonl');
    this.write(now / 1000, step, numbers);
  }

  private write(time: number, step: number, scalars: Readonly<Record<string, number>>): void {
    if (this.events === undefined) {
      const folder = this.run.file(EVENTS_FOLDER, this.stage);
      makeFolder(folder);
      this.events = path.join(folder, eventsFile(time));
      appendRecords(this.events, [versionRecord(time)]);
    }
    appendRecords(this.events, [scalarsRecord(time, step, scalars)]);
  }
}

const round = (share: number): number => Math.round(1000 * share) / 1000;

/** Hashes of what a stage has learned so far, read one array at a time where the state lies on the host. */
export const stateHashes = async (engine: Engine): Promise<StateHashes> => ({
  weights: await hashOf(engine, 'params'),
  gradients: await hashOf(engine, 'adam.mean'),
});

/** SHA-256 of the state below a path, 16 hex digits. */
export async function hashOf(engine: Engine, prefix: string): Promise<string> {
  const tensors = await engine.describe(prefix);
  const isHere = Object.values(tensors).every(({ location }) => location === 'cpu');
  // From a device all comes at once: its copy is a program, and there would be one for each tensor.
  const fetched = isHere ? {} : flatten<NDArray>(await engine.read(prefix));
  const hash = createHash('sha256');
  for (const path of Object.keys(tensors).sort()) {
    const array = fetched[path.slice(prefix.length + 1)] ?? ((await engine.read(path)) as NDArray);
    const { buffer, byteOffset, byteLength } = array.data;
    hash.update(`${path}\0`).update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('hex').slice(0, 16);
}
