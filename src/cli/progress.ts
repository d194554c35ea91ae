/** The progress display: one line on a terminal, now and then a line elsewhere. */

import type { Progress } from '../stage/display.ts';

const TERMINAL_INTERVAL = 100;
const LOG_INTERVAL = 10_000;
const BRIEF = 2000;

/** A display that writes to stderr. Call `done` when a stage ends, so that its last line stays. */
export class ProgressDisplay {
  private last = performance.now();
  private open = '';
  private readonly terminal = process.stderr.isTTY === true;

  /** A training step. */
  readonly step = (progress: Progress): void => {
    const { stage, step, steps, metrics, rate, secondsLeft, waiting } = progress;
    const values = Object.entries(metrics).map(([name, value]) => `${labels[name] ?? name} ${number(value)}`);
    const waits = waiting === undefined ? '' : `  waits for pictures ${(100 * waiting).toFixed(0)} %`;
    this.show(
      `${stage.padEnd(9)} ${bar(step / steps)} step ${step}/${steps}  ${values.join('  ')}${waits}  ${number(rate)} steps/s  ${duration(secondsLeft)} left`,
      step === steps,
    );
  };

  /** Work that counts things: drawing, encoding, sampling. */
  count(what: string): (done: number, total: number) => void {
    const start = performance.now();
    return (done, total) => {
      // What is over at once needs no line in a log.
      if (!this.terminal && performance.now() - start < BRIEF) return;
      const rate = (done * 1000) / Math.max(1, performance.now() - start);
      this.show(
        `${what.padEnd(9)} ${bar(done / total)} ${done}/${total}  ${number(rate)}/s  ${duration((total - done) / rate)} left`,
        done === total,
      );
    };
  }

  /** A sentence on a line of its own. */
  readonly note = (text: string): void => {
    this.end();
    process.stderr.write(`${text}\n`);
  };

  /** Leave the current line standing. */
  end(): void {
    if (this.terminal && this.open) process.stderr.write('\n');
    this.open = '';
  }

  private show(line: string, final: boolean): void {
    const now = performance.now();
    if (!final && now - this.last < (this.terminal ? TERMINAL_INTERVAL : LOG_INTERVAL)) return;
    this.last = now;
    if (!this.terminal) process.stderr.write(`${line}\n`);
    else {
      const width = (process.stderr.columns ?? 120) - 1;
      process.stderr.write(`\r\x1b[2K${line.slice(0, width)}`);
      this.open = line;
      if (final) this.end();
    }
  }
}

const labels: Readonly<Record<string, string>> = {
  crossEntropy: 'guess',
  gradientNorm: '|g|',
  perplexity: 'perplexity',
  psnr: 'PSNR',
};

function bar(fraction: number): string {
  const width = 20;
  const filled = Math.round(Math.min(1, fraction) * width);
  return `[${'='.repeat(filled)}${' '.repeat(width - filled)}]`;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return `${value}`;
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Seconds as a person reads them: 45 s, 3 min 20 s, 2 h 05 min. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  if (whole >= 100 * 3600) return `${Math.round(whole / 86_400)} days`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}
