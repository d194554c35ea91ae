/** The queue on the disk: what a studio leaves unfinished, however it ends, the next one on its folder begins anew. */

import path from 'node:path';
import * as z from 'zod';
import { messageOf, UserError } from '../../base/errors.ts';
import { writeFileAtomic } from '../../checkpoint/atomic.ts';
import { readText } from '../../checkpoint/regular-file.ts';
import { parseJob } from '../http/requests.ts';
import type { Job, JobRequest } from '../protocol.ts';
import type { Studio } from '../studio.ts';
import { begin, goOn, isTaken } from './begin.ts';
import { isDrawing, type JobFacts, type Work } from './jobs.ts';
import { resumeLiving } from './living.ts';

const jobSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{1,40}$/),
  title: z.string(),
  request: z.unknown().transform((value, context): JobRequest => {
    try {
      return parseJob(value);
    } catch (error) {
      context.addIssue(messageOf(error));
      return z.NEVER;
    }
  }),
  state: z.enum(['waiting', 'running', 'paused']),
  created: z.string(),
  pictures: z.array(z.string()),
});
type KeptJob = z.infer<typeof jobSchema>;

const queueSchema = z.object({ model: z.string(), run: z.string().nullable(), jobs: z.array(z.unknown()) });

/** Characters that a file of it may have: no queue comes near. */
const MOST = 2 ** 26;

export class KeptQueue {
  readonly #file: string;
  readonly #model: string;
  #written = '';

  /** @param model the folder of the model that the studio was started with. */
  constructor(folder: string, model: string) {
    this.#file = path.join(folder, 'queue.json');
    this.#model = path.resolve(model);
  }

  /** In order; none if nothing was left, or the file is damaged. */
  get jobs(): readonly KeptJob[] {
    const { jobs = [] } = this.#read() ?? {};
    return jobs.flatMap((job) => jobSchema.safeParse(job).data ?? []);
  }

  /** The run that drawings wait for; undefined if none do, or the studio has been started with another model since. */
  get run(): string | undefined {
    const kept = this.#read();
    const isMeant = kept?.model === this.#model && this.jobs.some(({ request }) => isDrawing(request.kind));
    return isMeant ? (kept.run ?? undefined) : undefined;
  }

  /**
   * Writes what is unfinished, if it has changed.
   * @param run the id of the run that draws; undefined for the model that the studio was started with.
   */
  write(run: string | undefined, unfinished: readonly Job[]): void {
    const jobs = unfinished.map(({ id, title, request, state, created, pictures }) => ({
      ...{ id, title, request, state, created, pictures },
    }));
    const text = `${JSON.stringify({ model: this.#model, run: run ?? null, jobs })}\n`;
    if (text === this.#written) return;
    try {
      writeFileAtomic(this.#file, text);
      this.#written = text;
    } catch {
      // What is under way goes on; a disk that is full ends it where its picture is written, and says so.
    }
  }

  #read(): z.infer<typeof queueSchema> | undefined {
    try {
      return queueSchema.safeParse(JSON.parse(readText(this.#file, MOST))).data;
    } catch {
      return undefined;
    }
  }
}

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
