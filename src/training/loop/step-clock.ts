import type { Ranks } from '../../mpi/ranks.ts';
import type { RankShares } from '../../stage/display.ts';

interface Tick {
  readonly time: number;
  readonly waited: number | undefined;
  readonly waiting: number;
  readonly communicating: number;
}

/** Steps a second, and the shares of waiting and of communication, over the last few seconds. */
export class StepClock {
  private readonly ticks: Tick[];

  constructor(private readonly ranks: Pick<Ranks, 'size' | 'times'>) {
    this.ticks = [{ time: performance.now(), waited: 0, ...ranks.times }];
  }

  tick(waited: number | undefined): {
    rate: number;
    readonly waiting: number | undefined;
    readonly ranks: RankShares | undefined;
  } {
    const { size, times } = this.ranks;
    this.ticks.push({ time: performance.now(), waited, ...times });
    while (this.ticks.length > 3 && this.ticks.at(-1)!.time - this.ticks[0]!.time > 8000) this.ticks.shift();
    const [first, last] = [this.ticks[0]!, this.ticks.at(-1)!];
    const passed = Math.max(1, last.time - first.time);
    const share = (part: 'waiting' | 'communicating') => Math.min(1, (last[part] - first[part]) / passed);
    return {
      rate: ((this.ticks.length - 1) * 1000) / passed,
      waiting: waited === undefined ? undefined : (waited - (first.waited ?? 0)) / passed,
      ranks: size === 1 ? undefined : { size, waiting: share('waiting'), communicating: share('communicating') },
    };
  }
}
