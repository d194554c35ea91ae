/** Which sampling settings to use: all combinations on some prompts, the best of them again on others. */

import { isGuided } from '../diffusion/guidance.ts';
import { type Interval, meanInterval } from './interval.ts';
import { meanDifference } from './paired.ts';

/** What is tuned. */
export interface TunedSettings {
  readonly guidanceScale: number;
  readonly truncation: number;
  readonly steps: number;
}

/** Settings with what their pictures score. */
export interface Measured {
  readonly settings: TunedSettings;
  readonly score: Interval;
  /** Passes of the network that a picture takes, at most. */
  readonly passes: number;
}

/** Scores of the pictures `from` to `to`, which are of the same prompts and seeds for all settings. */
export type ScorePictures = (settings: TunedSettings, from: number, to: number) => Promise<Float64Array>;

export interface TuneOptions {
  readonly candidates: readonly TunedSettings[];
  /** What is used now: always among the candidates and the finalists. */
  readonly current: TunedSettings;
  /** Pictures for each candidate. */
  readonly pictures: number;
  /** Candidates that are measured again, and on how many further pictures. */
  readonly finalists: number;
  readonly finalPictures: number;
  readonly score: ScorePictures;
}

export interface Tuning {
  /** All candidates on the first pictures, the best first. */
  readonly swept: readonly Measured[];
  /**
   * The finalists on further pictures, the best first: nothing was chosen by these, so that their scores are not
   * flattered.
   */
  readonly finals: readonly Measured[];
  readonly chosen: Measured;
  /** What was used before, on the same further pictures. */
  readonly current: Measured;
}

/** Every combination of the values, and the current settings. */
export function combinations(
  values: { readonly [K in keyof TunedSettings]: readonly number[] },
  current: TunedSettings,
): TunedSettings[] {
  const all = values.guidanceScale.flatMap((guidanceScale) =>
    values.truncation.flatMap((truncation) => values.steps.map((steps) => ({ guidanceScale, truncation, steps }))),
  );
  return all.some((one) => isSame(one, current)) ? all : [current, ...all];
}

/** Conditional passes, and as many without the condition where guidance needs them. */
export const passesOf = ({ guidanceScale, steps }: TunedSettings): number => steps * (isGuided(guidanceScale) ? 2 : 1);

const isSame = (a: TunedSettings, b: TunedSettings): boolean =>
  a.guidanceScale === b.guidanceScale && a.truncation === b.truncation && a.steps === b.steps;

/**
 * Measure all candidates, then the best again on other pictures, and choose among these the cheapest that is no worse
 * than the best by more than the standard error of their difference, picture by picture.
 */
export async function tune({
  candidates,
  current,
  pictures,
  finalists,
  finalPictures,
  score,
}: TuneOptions): Promise<Tuning> {
  const swept = await measureAll(candidates, score, 0, pictures);
  const ahead = swept.slice(0, finalists);
  if (!ahead.some(({ settings }) => isSame(settings, current))) ahead.push(swept.find(isCurrent)!);
  const again = ahead.map(({ settings }) => settings);
  const finals = await measureAll(again, score, pictures, pictures + finalPictures);
  const [best] = finals as [WithScores];
  const chosen = finals
    .filter((one) => {
      const { value, error } = meanDifference(best.scores, one.scores);
      return value <= error;
    })
    .reduce((a, b) => (b.passes < a.passes ? b : a));
  return {
    swept: swept.map(shown),
    finals: finals.map(shown),
    chosen: shown(chosen),
    current: shown(finals.find(isCurrent)!),
  };

  function isCurrent({ settings }: Measured): boolean {
    return isSame(settings, current);
  }
}

interface WithScores extends Measured {
  readonly scores: Float64Array;
}

const shown = ({ settings, score, passes }: WithScores): Measured => ({ settings, score, passes });

async function measureAll(
  candidates: readonly TunedSettings[],
  score: ScorePictures,
  from: number,
  to: number,
): Promise<WithScores[]> {
  const measured: WithScores[] = [];
  for (const settings of candidates) {
    const scores = await score(settings, from, to);
    measured.push({ settings, scores, score: meanInterval(scores), passes: passesOf(settings) });
  }
  return measured.sort((a, b) => b.score.value - a.score.value);
}
