/** Drawing as a job: step by step, with previews, until it is done, paused or cancelled. */

import { Interrupted } from '../../base/errors.ts';
import type { DrawnStep, DrawPlan, FinishedPicture } from '../drawing/calls.ts';
import type { Painter } from '../drawing/painter.ts';
import type { Preview } from '../protocol.ts';
import type { Running, Work } from './jobs.ts';

export interface DrawWork {
  readonly painter: Pick<Painter, 'open' | 'next' | 'leave'>;
  /** Side of the open model's grid. */
  readonly grid: () => number;
  /** Called when the job first runs. */
  readonly plan: () => DrawPlan;
  readonly onPreview: (preview: Preview) => void;
  /** Ids of pictures that an earlier go has kept, the first ones of the same job. */
  readonly earlier: readonly string[];
  /** Keeps a finished picture. @param earlier its id of the earlier go. @returns its id. */
  readonly keep: (picture: FinishedPicture, job: string, earlier: string | undefined) => Promise<string>;
}

/** Milliseconds between two looks at a drawing: small models step faster than a page can show. */
const SHOWN_EVERY = 120;

/** The work of a drawing. It halts between steps, and goes on from there when it is resumed. */
export function drawWork({ painter, grid, plan, onPreview, earlier, keep }: DrawWork): Work {
  let open: string | undefined;
  const pictures: string[] = [];
  return {
    async run(job) {
      if (open === undefined) {
        const notes = await painter.open(job.id, plan());
        open = job.id;
        job.change({ notes });
      }
      const pace = new Pace();
      let shown = Number.NEGATIVE_INFINITY;
      for (;;) {
        if (job.cancelled.aborted || job.closing.aborted) {
          await painter.leave(job.id);
          throw new Interrupted('The drawing was left');
        }
        if (job.paused.aborted) return 'paused';
        const step = await painter.next(job.id);
        if (!step) return 'done';
        const isDue = performance.now() - shown >= SHOWN_EVERY || step.done === step.total;
        if (isDue) {
          shown = performance.now();
          onPreview(previewOf(step, job.id, grid()));
        }
        for (const picture of step.finished) pictures.push(await keep(picture, job.id, earlier[pictures.length]));
        const left = pace.left(step);
        if (isDue) showProgress(job, step, left, [...pictures, ...earlier.slice(pictures.length)]);
      }
    },
    async discard() {
      if (open !== undefined) await painter.leave(open);
    },
  };
}

/** How long the steps take that are left, going by those of this go but the first, which may compile programs. */
class Pace {
  #begin: { readonly time: number; readonly done: number } | undefined;

  left({ done, total }: DrawnStep): number | undefined {
    const time = performance.now();
    this.#begin ??= { time, done };
    const steps = done - this.#begin.done;
    return steps > 0 ? Math.round(((total - done) * (time - this.#begin.time)) / steps / 1000) : undefined;
  }
}

function showProgress(
  job: Running,
  { done, total }: DrawnStep,
  left: number | undefined,
  pictures: readonly string[],
): void {
  job.change({ progress: { done, total, what: 'sampling', left }, pictures });
}

const previewOf = ({ step, steps, first, frames }: DrawnStep, job: string, grid: number): Preview => ({
  ...{ job, step, steps, first, grid },
  frames: frames.map(({ png, ...frame }) => ({ ...frame, png: Buffer.from(png).toString('base64') })),
});
