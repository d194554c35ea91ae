/** What an earlier studio has left unfinished begins anew. */

import { messageOf, UserError } from '../../base/errors.ts';
import type { Job } from '../protocol.ts';
import type { Studio } from '../studio.ts';
import { begin, goOn, isTaken } from './begin.ts';
import type { JobFacts, Work } from './jobs.ts';
import type { KeptJob } from './kept.ts';
import { resumeLiving } from './living.ts';

/**
 * Begin anew what an earlier studio has left, in its order: with the same seeds, so that the same pictures come.
 * Trainings that have begun are at work still, and found again, or have stopped with a checkpoint.
 */
export function restoreQueue(studio: Studio): void {
  studio.jobs.together(() => {
    resumeLiving(studio);
    for (const job of studio.queue.jobs) {
      const { id } = restored(studio, job) ?? {};
      if (id !== undefined && job.state === 'paused') studio.jobs.pause(id);
    }
  });
}

function restored(studio: Studio, { id, created, pictures, request, title, state }: KeptJob): Job | undefined {
  if (request.kind === 'resume') return state === 'waiting' ? attempted(() => goOn(studio, request.run)) : undefined;
  const hasBegun = () => isTaken(studio, title) || studio.trainings.process(title) !== undefined;
  if (request.kind === 'train' && hasBegun()) return undefined;
  const facts: JobFacts = { id, created, pictures };
  const named = request.kind === 'train' ? { ...request, name: title } : request;
  try {
    return begin(studio, named, facts);
  } catch (error) {
    // It stays on the list with the reason, such as a picture that is gone.
    return studio.jobs.add(request, title, failing(messageOf(error)), facts);
  }
}

/** A run that is gone or finished has nothing to go on with. */
function attempted(add: () => Job): Job | undefined {
  try {
    return add();
  } catch {
    return undefined;
  }
}

const failing = (reason: string): Work => ({
  async run() {
    throw new UserError(reason);
  },
});
