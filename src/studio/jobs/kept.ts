/** The queue on the disk: what a studio leaves unfinished, however it ends, the next one on its folder begins anew. */

import path from 'node:path';
import * as z from 'zod';
import { messageOf } from '../../base/errors.ts';
import { writeFileAtomic } from '../../files/atomic.ts';
import { readText } from '../../files/regular-file.ts';
import { parseJob } from '../http/requests.ts';
import type { Job, JobRequest } from '../protocol.ts';
import { isDrawing } from './jobs.ts';

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
export type KeptJob = z.infer<typeof jobSchema>;

const queueSchema = z.object({ model: z.string(), run: z.string().nullable(), jobs: z.array(z.unknown()) });

/** Characters that a file of it may have: no queue comes near. */
const MOST = 2 ** 26;

/** The file that holds the queue. */
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
