/** The thread that draws, as the server sees it: one model is open, and a thread that has died is started anew. */

import { startThread, ThreadCaller } from '../../base/worker-calls.ts';
import type { EngineOptions } from '../../engine/engine.ts';
import type { DrawingCalls, DrawingThreadOptions, DrawnStep, DrawPlan } from './calls.ts';

const LABEL = 'the thread that draws';

/** Its own engine makes the first session of the process: see `engine/thread-host.ts`. */
function start({ device = 'cpu', threads = 0 }: EngineOptions): ThreadCaller<DrawingCalls> {
  const options: DrawingThreadOptions = { device, threads };
  const thread = startThread({ file: 'clip-vqdiffusion/workers/studio', label: LABEL, options });
  return new ThreadCaller<DrawingCalls>(thread, LABEL);
}

/** The thread that holds the open model and draws with it. */
export class Painter {
  readonly #options: EngineOptions;
  #thread: ThreadCaller<DrawingCalls> | undefined;
  #folder: string | undefined;
  #isClosed = false;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /**
   * Open a model in the place of the one that is open.
   * @returns its hash.
   * @throws UserError as `Generator.load` does.
   */
  async load(folder: string): Promise<string> {
    this.#folder = folder;
    if (!this.#thread?.isOpen) this.#thread = start(this.#options);
    return (await this.#thread.call('load', { folder })).hash;
  }

  /** Begin a drawing. @returns what should be known of its prompts. */
  async open(job: string, plan: DrawPlan): Promise<readonly string[]> {
    // It dies with native code that fails.
    if (!this.#thread?.isOpen && this.#folder !== undefined && !this.#isClosed) await this.load(this.#folder);
    return (await this.#running().call('open', { job, plan })).notes;
  }

  next(job: string): Promise<DrawnStep | undefined> {
    return this.#running().call('next', { job });
  }

  async leave(job: string): Promise<void> {
    if (this.#thread?.isOpen) await this.#thread.call('leave', { job });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (!this.#thread?.isOpen) return;
    await this.#thread.call('end', {}).catch(() => {});
    await this.#thread.close('reject');
  }

  #running(): ThreadCaller<DrawingCalls> {
    if (!this.#thread) throw new Error('no model is loaded');
    return this.#thread;
  }
}

/** Calls that take seconds, in a thread of their own: drawing goes on meanwhile. */
export async function aside<T>(
  options: EngineOptions,
  use: (thread: Pick<ThreadCaller<DrawingCalls>, 'call'>) => Promise<T>,
): Promise<T> {
  const thread = start(options);
  try {
    return await use(thread);
  } finally {
    await thread.close('answer');
  }
}
