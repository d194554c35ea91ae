/**
 * The official learning-rate schedules as pure state machines: warm-up, then a lower rate whenever a metric has stopped
 * improving. Published runs use it on the loss of every iteration (FFHQ base) or on the CLIP score of every validation
 * (the others).
 */

/** The constants of a schedule. */
export interface PlateauSettings {
  /** The rate that warm-up climbs towards, and the steps it takes. With no warm-up the rate stays 0, as officially. */
  readonly warmupRate: number;
  readonly warmupSteps: number;
  readonly minRate: number;
  /** What a plateau multiplies the rate by. */
  readonly factor: number;
  /** Metrics without improvement that are tolerated before the rate falls. */
  readonly patience: number;
  /** Metrics after a fall of the rate that do not count as bad. */
  readonly cooldown: number;
  /**
   * What counts as better: lower (losses) or higher (scores), by more than `threshold` of the best, or by more than it.
   */
  readonly mode: 'min' | 'max';
  readonly threshold: number;
  readonly thresholdMode: 'rel' | 'abs';
  /** Smaller falls of the rate are not made. */
  readonly smallestChange: number;
}

/** A plain object, so that checkpoints can hold it. */
export interface PlateauState {
  /** The rate of the next step. */
  readonly rate: number;
  /** Steps and metrics so far: both count. */
  readonly count: number;
  /** Undefined until a metric counted. */
  readonly best: number | undefined;
  readonly bad: number;
  readonly cooling: number;
}

/** Before the first step: the rate is 0, so that the first step of training moves nothing. */
export const initialPlateau = (): PlateauState => ({ rate: 0, count: 0, best: undefined, bad: 0, cooling: 0 });

/**
 * After a step of training, or after a validation. Within the first `warmupSteps` calls the rate climbs by
 * warmupRate / warmupSteps, but from the first call at no less than minRate, and metrics are ignored; afterwards only
 * metrics matter.
 */
export function nextPlateau(settings: PlateauSettings, state: PlateauState, metric?: number): PlateauState {
  const count = state.count + 1;
  if (count <= settings.warmupSteps) {
    const climbed = state.rate + settings.warmupRate / settings.warmupSteps;
    return { ...state, count, rate: Math.max(climbed, settings.minRate) };
  }
  if (metric === undefined) return { ...state, count };
  return fallOnPlateau(settings, { ...state, count }, metric);
}

function fallOnPlateau(settings: PlateauSettings, state: PlateauState, metric: number): PlateauState {
  const better = state.best === undefined || isBetter(settings, metric, state.best);
  const best = better ? metric : state.best;
  const cooling = Math.max(0, state.cooling - 1);
  const bad = better || state.cooling > 0 ? 0 : state.bad + 1;
  if (bad <= settings.patience) return { ...state, best, bad, cooling };
  const lowered = Math.max(state.rate * settings.factor, settings.minRate);
  const rate = state.rate - lowered > settings.smallestChange ? lowered : state.rate;
  return { ...state, rate, best, bad: 0, cooling: settings.cooldown };
}

function isBetter({ mode, threshold, thresholdMode }: PlateauSettings, metric: number, best: number): boolean {
  const sign = mode === 'min' ? -1 : 1;
  const bar = thresholdMode === 'rel' ? best * (1 + sign * threshold) : best + sign * threshold;
  return mode === 'min' ? metric < bar : metric > bar;
}
