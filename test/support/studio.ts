/** A studio over a tiny model, on a port of this machine, and a browser's side of it. */

import fs from 'node:fs';
import path from 'node:path';
import { type RunningStudio, type ServeOptions, serveStudio } from '../../src/studio/http/server.ts';
import type { Job, StudioEvent } from '../../src/studio/protocol.ts';
import { leanRecipe, tinyRecipe, writeTinyRun } from './tiny-model.ts';

/**
 * The tiny model, with fewer steps by default than the most that it can take, `timesteps`; of few pictures, among which
 * a report looks for copies.
 */
export const writeStudioModel = (folder: string, timesteps = tinyRecipe.diffusion.timesteps) =>
  writeTinyRun(folder, {
    ...leanRecipe,
    images: 16,
    diffusion: { ...tinyRecipe.diffusion, timesteps },
    sampling: { ...tinyRecipe.sampling, steps: 4 },
  });

/** Starts one in a folder, in which the tiny model is made if it is not there. */
export async function startTinyStudio(folder: string, options: Partial<ServeOptions> = {}): Promise<RunningStudio> {
  const model = path.join(folder, 'model');
  if (!fs.existsSync(model)) writeStudioModel(model);
  return serveStudio({
    ...{ model, folder: path.join(folder, 'studio'), runs: path.join(folder, 'runs'), data: [] },
    ...{ version: '0.0.0', port: 0, facePrompts: ['a man'], meanings: { loss: 'what is minimised' } },
    engine: { device: 'cpu', threads: 1 },
    ...options,
  });
}

/** What a page does: with the cookie, and JSON in and out. */
export class Browser {
  private constructor(
    readonly base: string,
    /** As the server has set it. */
    readonly setCookie: string,
  ) {}

  get cookie(): string {
    return this.setCookie.split(';')[0]!;
  }

  /** Opens the printed address. */
  static async open(address: string): Promise<Browser> {
    const response = await fetch(address);
    const cookie = response.headers.get('set-cookie');
    if (cookie === null) throw new Error(`no cookie: ${response.status} ${await response.text()}`);
    return new Browser(new URL(address).origin, cookie);
  }

  fetch(address: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.base + address, { ...init, headers: { cookie: this.cookie, ...init.headers } });
  }

  async get<T>(address: string): Promise<T> {
    return this.answer<T>(await this.fetch(address));
  }

  async post<T>(address: string, body?: unknown): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    const init = body === undefined ? {} : { headers, body: JSON.stringify(body) };
    return this.answer<T>(await this.fetch(address, { method: 'POST', ...init }));
  }

  async send<T>(address: string, bytes: Uint8Array<ArrayBuffer>): Promise<T> {
    return this.answer<T>(await this.fetch(address, { method: 'POST', body: bytes }));
  }

  async remove(address: string): Promise<void> {
    await this.answer(await this.fetch(address, { method: 'DELETE' }));
  }

  /** Status and message of what is refused. */
  async refusal(address: string, init: RequestInit = {}): Promise<readonly [status: number, error: string]> {
    const response = await this.fetch(address, init);
    const text = await response.text();
    return [response.status, text.startsWith('{') ? (JSON.parse(text) as { error: string }).error : text];
  }

  /** Events as they come, until the iteration is left. */
  async *events(): AsyncGenerator<StudioEvent, void> {
    const stop = new AbortController();
    const response = await this.fetch('/api/events', { signal: stop.signal });
    let text = '';
    try {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const messages = text.split('\n\n');
        text = messages.pop()!;
        for (const message of messages) {
          const data = /^data: (.*)$/m.exec(message)?.[1];
          if (data !== undefined) yield JSON.parse(data) as StudioEvent;
        }
      }
    } finally {
      stop.abort();
    }
  }

  /** Waits until a job is in one of these states. @throws Error if it ends in another one. */
  async until(id: string, ...states: readonly Job['state'][]): Promise<Job> {
    for await (const event of this.events()) {
      const jobs = event.type === 'present' ? event.jobs : event.type === 'job' ? [event.job] : [];
      const job = jobs.find((one) => one.id === id);
      if (job && states.includes(job.state)) return job;
      if (job && ['done', 'failed', 'cancelled'].includes(job.state))
        throw new Error(`the job is ${job.state}: ${job.error}`);
    }
    throw new Error('the events have ended');
  }

  private async answer<T>(response: Response): Promise<T> {
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return JSON.parse(text) as T;
  }
}
