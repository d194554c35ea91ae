/**
 * The mask-and-replace noise schedule of VQ-Diffusion (arXiv 2111.14822): how likely a token is kept, replaced or
 * masked.
 */
import { UserError } from '../../base/errors.ts';

/** The end points of a linear schedule. */
export interface ScheduleSettings {
  /** T, the number of diffusion steps. */
  readonly steps: number;
  /** K, the number of codes; the mask token is index K. */
  readonly codes: number;
  /** Cumulative keep probability after the first and after the last step. */
  readonly alphaBarStart?: number;
  readonly alphaBarEnd?: number;
  /** Cumulative mask probability after the first and after the last step. */
  readonly gammaBarStart?: number;
  readonly gammaBarEnd?: number;
}

/**
 * One-step coefficients `alpha`, `beta`, `gamma`, each `[T]`, and cumulative ones `alphaBar`, `betaBar`, `gammaBar`,
 * each `[T + 1]`. Time t counts 0 .. T-1; entry T of the cumulative arrays is the clean state "t = -1" with values (1,
 * 0, 0).
 */
export interface Schedule {
  readonly steps: number;
  readonly codes: number;
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
  readonly gamma: Float64Array;
  readonly alphaBar: Float64Array;
  readonly betaBar: Float64Array;
  readonly gammaBar: Float64Array;
}

/**
 * A token keeps its code with probability `alpha + beta`, becomes any one other code with `beta`, the mask with
 * `gamma`: `alpha + K beta + gamma = 1`. A masked token stays masked.
 */
export interface Coefficients {
  readonly alpha: number;
  readonly beta: number;
  readonly gamma: number;
}

/** The time of the clean state x_0. */
const CLEAN = -1;

/** Differences below this are rounding: a replace probability this small is exactly zero. */
const ROUNDING = 1e-13;

/**
 * Linear schedules: `alphaBar` falls from start to end, `gammaBar` rises, and the rest `betaBar = (1 - alphaBar -
 * gammaBar) / K` is spread over the codes. The defaults are the published ones, where `K betaBar` is 1e-6 throughout:
 * almost pure masking.
 *
 * @throws UserError when the end points leave no valid probabilities.
 */
export function maskReplaceSchedule(settings: ScheduleSettings): Schedule {
  const { steps, codes } = settings;
  const { alphaBarStart = 0.99999, alphaBarEnd = 0.000009 } = settings;
  const { gammaBarStart = 0.000009, gammaBarEnd = 0.99999 } = settings;
  checkWhole('steps', steps, 2);
  checkWhole('codes', codes, 1);
  checkEnds('alphaBar', alphaBarEnd >= 0 && alphaBarEnd < alphaBarStart && alphaBarStart <= 1, 'fall within [0, 1]');
  checkEnds('gammaBar', gammaBarStart > 0 && gammaBarStart < gammaBarEnd && gammaBarEnd <= 1, 'rise within (0, 1]');

  const alphaBar = ramp(steps, alphaBarStart, alphaBarEnd, 1);
  const gammaBar = ramp(steps, gammaBarStart, gammaBarEnd, 0);
  const betaBar = alphaBar.map((keep, t) => remainder(1 - gammaBar[t]!, keep, codes));
  const alpha = new Float64Array(steps);
  const beta = new Float64Array(steps);
  const gamma = new Float64Array(steps);
  const schedule: Schedule = { steps, codes, alpha, beta, gamma, alphaBar, betaBar, gammaBar };
  for (let t = 0; t < steps; t++) {
    const one = transition(schedule, t - 1, t);
    alpha[t] = one.alpha;
    beta[t] = one.beta;
    gamma[t] = one.gamma;
  }
  return schedule;
}

/** The first `times` times of a schedule: a chain over them begins at the state that a whole one has at that time. */
export function firstTimes(schedule: Schedule, times: number): Schedule {
  if (!Number.isInteger(times) || times < 1 || times > schedule.steps)
    throw new RangeError(`${times} times of a schedule of ${schedule.steps}`);
  const one = (values: Float64Array) => values.slice(0, times);
  const cumulative = (values: Float64Array) => Float64Array.of(...one(values), values[schedule.steps]!);
  return {
    steps: times,
    codes: schedule.codes,
    alpha: one(schedule.alpha),
    beta: one(schedule.beta),
    gamma: one(schedule.gamma),
    alphaBar: cumulative(schedule.alphaBar),
    betaBar: cumulative(schedule.betaBar),
    gammaBar: cumulative(schedule.gammaBar),
  };
}

/** Coefficients of q(x_t | x_0): the cumulative ones at `t`, where `t = -1` is the clean state (1, 0, 0). */
export function marginal(schedule: Schedule, t: number): Coefficients {
  const { steps, alphaBar, betaBar, gammaBar } = schedule;
  if (!Number.isInteger(t) || t < CLEAN || t >= steps) throw new RangeError(`time ${t} is outside -1 .. ${steps - 1}`);
  const entry = t === CLEAN ? steps : t;
  return { alpha: alphaBar[entry]!, beta: betaBar[entry]!, gamma: gammaBar[entry]! };
}

/**
 * Coefficients of q(x_t | x_s) for any `-1 <= s < t`: alphaBar_t / alphaBar_s, 1 - (1 - gammaBar_t) / (1 - gammaBar_s)
 * and the remainder. Exact, because transitions of this family compose: the product of all steps between s and t is of
 * the same form.
 */
export function transition(schedule: Schedule, s: number, t: number): Coefficients {
  const from = marginal(schedule, s);
  const to = marginal(schedule, t);
  if (s >= t) throw new RangeError(`a transition runs from an earlier to a later time, not from ${s} to ${t}`);
  const alpha = to.alpha / from.alpha;
  const unmasked = (1 - to.gamma) / (1 - from.gamma);
  return { alpha, beta: remainder(unmasked, alpha, schedule.codes), gamma: 1 - unmasked };
}

/** Start to end in even steps, followed by the value of the clean state. */
function ramp(steps: number, start: number, end: number, clean: number): Float64Array {
  return Float64Array.from({ length: steps + 1 }, (_, t) =>
    t === steps ? clean : (t / (steps - 1)) * (end - start) + start,
  );
}

/** What is neither kept nor masked, per code. */
function remainder(unmasked: number, keep: number, codes: number): number {
  const rest = unmasked - keep;
  if (rest < -ROUNDING) {
    throw new UserError(
      'diffusion schedule: keep and mask probabilities exceed 1 at some step; lower alphaBarStart or alphaBarEnd',
    );
  }
  return rest < ROUNDING ? 0 : rest / codes;
}

function checkWhole(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new UserError(`diffusion schedule: ${name} is ${value}; give a whole number of at least ${least}`);
}

function checkEnds(name: string, valid: boolean, rule: string): void {
  if (!valid) throw new UserError(`diffusion schedule: ${name} must ${rule}; change ${name}Start or ${name}End`);
}
