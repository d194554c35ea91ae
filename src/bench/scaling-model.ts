/** What follows from measurements of ranks: how the time of a step is spent, and what other machines would take. */

/** A sum of a bucket over all ranks. */
export interface SumTime {
  readonly megabytes: number;
  readonly ms: number;
}

/** Gb/s at which a bucket was added up, by the bytes of one rank. */
export const gigabitsOf = ({ megabytes, ms }: SumTime): number => (8 * megabytes) / ms;

/** Milliseconds of a step, and the parts that make it up. */
export interface StepTime {
  readonly ms: number;
  readonly computing: number;
  readonly communicating: number;
  readonly waiting: number;
}

/** The clock between two steps, and what was spent of it so far; milliseconds. */
export interface Reading {
  readonly at: number;
  readonly communicating: number;
  readonly waiting: number;
}

/** The middle one, the higher of two. */
const upperMedian = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Of the steps between readings the one that took the median time, so that its parts make it up. */
export function medianStep(readings: readonly Reading[]): StepTime {
  const steps = readings.slice(1).map((now, i): StepTime => {
    const before = readings[i]!;
    const ms = now.at - before.at;
    const communicating = now.communicating - before.communicating;
    const waiting = now.waiting - before.waiting;
    return { ms, communicating, waiting, computing: ms - communicating - waiting };
  });
  const middle = upperMedian(steps.map(({ ms }) => ms));
  return steps.find(({ ms }) => ms === middle)!;
}

/** Of so many ranks with so many threads each, 0 being one for each core, those for which the cores do not suffice. */
export const crowdedOn = <M extends { readonly ranks: number }>(
  cores: number,
  measured: readonly M[],
  threads: number,
): readonly M[] => measured.filter(({ ranks }) => ranks * Math.max(1, threads) > cores);

/** A stage on one machine, and what of it travels. */
export interface ScaledStage {
  /** Of the whole batch on one machine. */
  readonly secondsPerStep: number;
  readonly batch: number;
  /** Bytes that every step adds up. */
  readonly bytes: number;
}

export interface Projection {
  readonly nodes: number;
  readonly gigabits: number;
  readonly secondsPerStep: number;
  /** How many times as fast as one machine. */
  readonly speedup: number;
}

/** Seconds that a message takes besides its bytes. */
const LATENCY = 50e-6;

/**
 * The time of a step on equal machines, one rank each, with a global batch that stays what it is: computing divides
 * among the ranks; a ring passes 2 (n − 1)/n of the gradients through every link, one bucket after another, and none of
 * it hides behind computing. Nodes that do not divide the batch are left out.
 */
export function project(
  { secondsPerStep, batch, bytes }: ScaledStage,
  nodes: readonly number[],
  gigabits: readonly number[],
): Projection[] {
  return nodes
    .filter((n) => batch % n === 0)
    .flatMap((n) =>
      gigabits.map((speed) => {
        const sending = (2 * (n - 1) * bytes) / n / ((speed * 1e9) / 8);
        const seconds = secondsPerStep / n + (n === 1 ? 0 : sending + 2 * (n - 1) * LATENCY);
        return { nodes: n, gigabits: speed, secondsPerStep: seconds, speedup: secondsPerStep / seconds };
      }),
    );
}
