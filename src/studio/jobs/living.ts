/** Trainings that an earlier studio has begun and that are still at work: their jobs are on the list again. */

import type { Job } from '../protocol.ts';
import type { Studio } from '../studio.ts';

/** Add a job for each of them, which watches the process. @returns the jobs. */
export function resumeLiving({ trainings, runs, jobs }: Studio): Job[] {
  return trainings.living.map((name) => {
    const run = runs.idOf(name);
    return jobs.add({ kind: 'resume', run }, name, trainings.work(name), { run });
  });
}
