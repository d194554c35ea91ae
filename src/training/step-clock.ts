/** Steps a second, and the share of waiting, over the last few seconds. */
export class StepClock {
  private readonly ticks: { readonly time: number; readonly waited: number | undefined }[] = [
    { time: performance.now(), waited: 0 },
  ];

  tick(waited: number | undefined): { readonly rate: number; readonly waiting: number | undefined } {
    this.ticks.push({ time: performance.now(), waited });
    while (this.ticks.length > 3 && this.ticks.at(-1)!.time - this.ticks[0]!.time > 8000) this.ticks.shift();
    const [first, last] = [this.ticks[0]!, this.ticks.at(-1)!];
    const passed = Math.max(1, last.time - first.time);
    return {
      rate: ((this.ticks.length - 1) * 1000) / passed,
      waiting: waited === undefined ? undefined : (waited - (first.waited ?? 0)) / passed,
    };
  }
}
