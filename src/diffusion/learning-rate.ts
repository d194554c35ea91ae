/**
 * The learning rate of a diffusion run: a cosine over its steps, or the paper's, lowered when the loss or the CLIP
 * score has stopped improving.
 */

import type { NDArray } from '../base/ndarray.ts';
import { initialPlateau, nextPlateau, type PlateauSettings, type PlateauState } from '../optim/plateau.ts';
import { warmupCosine } from '../optim/schedule.ts';
import type { DiffusionSettings } from '../recipe/schema.ts';

/** CLIP score of pictures that the current model makes: a pure function of its weights. */
export type Validate = () => Promise<number>;

/** The rate of one run, with the state that it keeps between steps. */
export class LearningRate {
  private state = initialPlateau();
  private readonly plateau: PlateauSettings;

  /** @param validate needed where the CLIP score steers. */
  constructor(
    private readonly settings: DiffusionSettings,
    private readonly validate: Validate | undefined,
  ) {
    this.plateau = plateauSettings(settings);
    if (isValidated(settings) && !validate)
      throw new Error('The CLIP score is to steer the learning rate, but nothing measures it');
  }

  /** The rate of step `step`, counted from 0. */
  at(step: number): number {
    return this.settings.schedule === 'cosine' ? warmupCosine(this.settings, step) : this.state.rate;
  }

  /**
   * Called after a finished step. With `loss` every step is a signal; with `clip-score` the steps only warm up, and a
   * validation every `validateEvery` steps is one.
   * @returns the CLIP score, if there was a validation.
   */
  async after(step: number, loss: number): Promise<{ readonly clipScore?: number }> {
    const { schedule, plateauSignal, validateEvery } = this.settings;
    if (schedule === 'cosine') return {};
    this.state = nextPlateau(this.plateau, this.state, plateauSignal === 'loss' ? loss : undefined);
    if (!isValidated(this.settings) || (step + 1) % validateEvery !== 0) return {};
    const clipScore = await this.validate!();
    this.state = nextPlateau(this.plateau, this.state, clipScore);
    return { clipScore };
  }

  /** The state for a checkpoint; empty where the rate follows from the step. */
  save(): Record<string, NDArray> {
    if (this.settings.schedule === 'cosine') return {};
    const { rate, count, best = Number.NaN, bad, cooling } = this.state;
    return { [PLATEAU]: { dtype: 'float64', shape: [5], data: Float64Array.of(rate, count, best, bad, cooling) } };
  }

  /** Restore what `save` gave; an empty record starts at the beginning of a run. */
  restore(host: Readonly<Record<string, NDArray>>): void {
    const saved = host[PLATEAU]?.data as Float64Array | undefined;
    this.state = saved ? plateauState(saved) : initialPlateau();
  }
}

const PLATEAU = 'learningRate.plateau';

/** Whether pictures are made during training to steer it. */
export const isValidated = ({ schedule, plateauSignal }: DiffusionSettings): boolean =>
  schedule === 'plateau' && plateauSignal === 'clip-score';

/** The published schedulers: a loss must fall by a share of the best one, a score rise by an amount. */
export function plateauSettings(settings: DiffusionSettings): PlateauSettings {
  const onLoss = settings.plateauSignal === 'loss';
  return {
    warmupRate: settings.learningRate,
    warmupSteps: settings.warmupSteps,
    minRate: settings.minLearningRate,
    factor: settings.plateauFactor,
    patience: settings.plateauPatience,
    cooldown: settings.plateauCooldown,
    threshold: settings.plateauThreshold,
    mode: onLoss ? 'min' : 'max',
    thresholdMode: onLoss ? 'rel' : 'abs',
    smallestChange: SMALLEST_CHANGE,
  };
}

/** PyTorch's `eps`. */
const SMALLEST_CHANGE = 1e-8;

function plateauState(saved: Float64Array): PlateauState {
  const [rate, count, best, bad, cooling] = [...saved] as [number, number, number, number, number];
  return { rate, count, best: Number.isNaN(best) ? undefined : best, bad, cooling };
}
