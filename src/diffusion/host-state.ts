/**
 * What the diffusion stage keeps on the host between steps: the history of losses, from which times are drawn, the
 * learning rate, and, where ranks train for themselves in between, what they have done since they parted.
 */

import type { NDArray } from '../base/ndarray.ts';
import type { Engine } from '../engine/engine.ts';
import type { Ranks } from '../mpi/ranks.ts';
import type { DiffusionSettings } from '../recipe/schema.ts';
import { type LocalSteps, OuterStep } from '../stage/local-steps.ts';
import { ApartSteps } from './apart.ts';
import { LearningRate, type Validate } from './learning-rate.ts';
import { initialTimesteps, restoredTimesteps, savedTimesteps, type TimestepState, updateHistory } from './timesteps.ts';

interface HostStateOptions {
  readonly settings: DiffusionSettings;
  readonly engine: Engine;
  readonly ranks: Ranks;
  /** Samples of each rank in a step. */
  readonly count: number;
  /** Set where ranks train for themselves in between. */
  readonly sync: LocalSteps | undefined;
  /** Measures the model, where that steers the learning rate. */
  readonly validate: Validate | undefined;
}

export class HostState {
  readonly rate: LearningRate;
  readonly #apart: ApartSteps;
  readonly #outer: OuterStep | undefined;
  #times: TimestepState;

  constructor(private readonly options: HostStateOptions) {
    const { settings, engine, ranks, count, sync, validate } = options;
    this.rate = new LearningRate(settings, validate);
    this.#apart = new ApartSteps(ranks, count);
    this.#outer = sync && new OuterStep(engine, ranks, sync);
    this.#times = initialTimesteps(settings.timesteps);
  }

  /** The history of losses, which all ranks have in common. */
  get times(): TimestepState {
    return this.#times;
  }

  /** The state before the first step. */
  begin(): void {
    this.#times = initialTimesteps(this.options.settings.timesteps);
    this.rate.restore({});
    this.#outer?.reset();
    this.#apart.clear();
  }

  /** Called before a step: the weights are remembered with which ranks part. */
  async part(): Promise<void> {
    await this.#outer?.part();
  }

  /**
   * Called after a step with its losses.
   * @param all the times of the whole batch, [batch].
   * @param kl the KL terms of the batch, or, where ranks train for themselves, of this one's share.
   */
  learn(all: Int32Array, kl: Float32Array): void {
    if (this.#outer) this.#apart.add(all, kl);
    else this.#times = updateHistory(this.#times, all, kl);
  }

  /** The ranks make one model of theirs, and one history. */
  async meet(): Promise<void> {
    await this.#outer?.meet();
    this.#times = await this.#apart.joined(this.#times);
  }

  save(): Readonly<Record<string, NDArray>> {
    return { ...savedTimesteps(this.#times), ...this.rate.save(), ...this.#outer?.save() };
  }

  /** Take up what `save` gave. @throws NotFinite where it holds no history of losses. */
  restore(host: Readonly<Record<string, NDArray>>): void {
    this.#times = restoredTimesteps(host);
    this.rate.restore(host);
    this.#outer?.restore(host);
    this.#apart.clear();
  }
}
