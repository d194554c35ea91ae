/** The progress display: one line on a terminal, now and then a line elsewhere. */

import { printable } from '../base/text.ts';
import type { Progress } from '../stage/display.ts';
import { withFlags } from './flags.ts';
import { typeable } from './invocation.ts';
import { percent } from './percent.ts';
import { writeTo } from './streams.ts';

const TERMINAL_INTERVAL = 100;
const LOG_INTERVAL = 10_000;
const BRIEF = 2000;
/** Steps over which the numbers of a progress line are averaged, about. */
const SMOOTHING = 20;

/** Names of numbers where the line has others than the log. */
const labels: Readonly<Record<string, string>> = { gradientNorm: '|g|', psnr: 'PSNR' };

/** What the numbers of training mean, by their names in the log. */
export const meanings: Readonly<Record<string, string>> = {
  loss: 'what the stage minimises: of the CLIP the contrastive loss, of the tokenizer all its parts together, of the diffusion model the bound on the likelihood in nats a code',
  accuracy: 'of the CLIP: share of a batch whose own text is the nearest, and the other way round',
  heldOutLoss: 'of the CLIP: its loss on pairs that it does not learn from, at the last look',
  psnr: 'of the tokenizer: quality of reconstructions, in dB; 20 is rough, 30 is good',
  perplexity: 'exp of the entropy of the codes in use: the number of codes that it would take if all were used equally',
  codesUsed: 'number of codes in recent use',
  perceptual: 'perceptual distance of reconstructions from their pictures',
  discriminator: 'loss of the discriminator',
  adaptiveWeight: 'weight of the adversarial loss beside the others',
  crossEntropy:
    'of the diffusion model: of the codes of pictures given noisy ones, in nats; knowing nothing is ln of the number of codes',
  gradientNorm: 'length of the gradient, before it is clipped where it is',
  clipScore: 'of validation: cosine of pictures with their prompts under the CLIP',
  waiting: 'share of the time in which the stage waited for pictures',
};

/** Names and meanings, for the help. */
export const progressTerms = (): readonly (readonly [string, string])[] =>
  Object.entries(meanings).map(([name, meaning]) => [labels[name] ?? name, meaning]);

/**
 * A display that writes to stderr. Steps, rate and time left come first and fit into 60 columns; measured numbers
 * follow, as running averages. Call `end` when a stage ends, so that its last line stays.
 */
export class ProgressDisplay {
  private last = performance.now();
  private open = '';
  private readonly averages = new Map<string, number>();
  private readonly terminal = process.stderr.isTTY === true;

  /** A training step. */
  readonly step = (progress: Progress): void => {
    const { stage, step, steps, metrics } = progress;
    for (const [name, value] of Object.entries(metrics)) {
      const key = `${stage} ${name}`;
      const before = this.averages.get(key);
      const isUsual = before !== undefined && Number.isFinite(before) && Number.isFinite(value);
      this.averages.set(key, isUsual ? before + (value - before) / SMOOTHING : value);
    }
    const smoothed = Object.keys(metrics).map((name) => [name, this.averages.get(`${stage} ${name}`)!] as const);
    this.show(stepLine(progress, Object.fromEntries(smoothed)), step === steps);
  };

  /** Work that counts things: drawing, encoding, sampling. */
  count(what: string): (done: number, total: number) => void {
    const start = performance.now();
    return (done, total) => {
      // What is over at once needs no line in a log.
      if (!this.terminal && performance.now() - start < BRIEF) return;
      const rate = (done * 1000) / Math.max(1, performance.now() - start);
      const left = duration((total - done) / rate);
      this.show(`${what.padEnd(9)} ${done}/${total}  ${number(rate)}/s  ${left} left`, done === total);
    };
  }

  /** A download; the result takes bytes, and the line shows megabytes. */
  fetching(what: string): (done: number, total: number) => void {
    const megabytes = this.count(`fetching ${what}, MB`);
    return (done, total) => megabytes(Math.round(done / 1e6), Math.ceil(total / 1e6));
  }

  /** A sentence on a line of its own. */
  readonly note = (text: string): void => {
    this.end();
    writeTo(process.stderr, `${printable(typeable(withFlags(text)))}\n`);
  };

  /** Leave the current line standing. */
  end(): void {
    if (this.terminal && this.open) writeTo(process.stderr, '\n');
    this.open = '';
  }

  private show(line: string, final: boolean): void {
    const now = performance.now();
    if (!final && now - this.last < (this.terminal ? TERMINAL_INTERVAL : LOG_INTERVAL)) return;
    this.last = now;
    if (!this.terminal) writeTo(process.stderr, `${line}\n`);
    else {
      const width = (process.stderr.columns || 120) - 1;
      writeTo(process.stderr, `\r\x1b[2K${line.slice(0, width)}`);
      this.open = line;
      if (final) this.end();
    }
  }
}

/** One line of training: stage, steps, rate and time left in at most 60 columns, then the numbers. */
export function stepLine(progress: Progress, metrics: Readonly<Record<string, number>>): string {
  const { stage, step, steps, rate, secondsLeft, waiting, ranks } = progress;
  const values = Object.entries(metrics).map(([name, value]) => `${labels[name] ?? name} ${number(value)}`);
  const waits = waiting === undefined ? [] : [`waits for pictures ${percent(waiting)}`];
  const shares = ranks && [
    `${ranks.size} ranks: ${percent(1 - ranks.waiting - ranks.communicating)} computing, ${percent(ranks.communicating)} communicating, ${percent(ranks.waiting)} waiting`,
  ];
  const place = `${stage.padEnd(9)} ${step}/${steps}`;
  return [
    place,
    `${number(rate)} steps/s`,
    `${duration(secondsLeft)} left`,
    ...values,
    ...waits,
    ...(shares ?? []),
  ].join('  ');
}

function number(value: number): string {
  if (!Number.isFinite(value)) return `${value}`;
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** From so long to so long. */
export const durations = ([from, to]: readonly [number, number]): string => `${duration(from)} to ${duration(to)}`;

/** Seconds as a person reads them: 45 s, 3 min 20 s, 2 h 05 min. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  if (whole >= 100 * 3600) return `${Math.round(whole / 86_400)} days`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}
