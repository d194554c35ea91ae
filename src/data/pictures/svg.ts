/** SVG as pixels, drawn in a process that ends where a drawing does not (`svg-process.ts`). */

import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';

export interface SvgJob {
  readonly svg: Uint8Array;
  /** Seconds of a processor that it may take. */
  readonly seconds: number;
  /** Dots per inch; without it one unit is one pixel. */
  readonly density?: number | undefined;
  /** Without it the drawing is only measured. */
  readonly maxPixels?: number;
}

export type SvgReply =
  | { readonly width: number; readonly height: number }
  | { readonly png: Uint8Array }
  | {
      readonly reason: string;
      /** The process ends. */
      readonly isOver?: boolean;
    };

/** A look at a picture is a stricter limit than its use, so that a picture that was accepted is drawn. */
export const [LOOKING, DRAWING] = [5, 20];

let drawer: ChildProcess | undefined;
let last: Promise<unknown> = Promise.resolve();

/** The size of a drawing in pixels, where one unit is one. @throws Error with the reason, one line. */
export async function svgSize(svg: Uint8Array): Promise<{ readonly width: number; readonly height: number }> {
  const reply = await inTurn({ svg, seconds: LOOKING });
  if ('width' in reply) return reply;
  throw new Error('reason' in reply ? reply.reason : 'it has no size');
}

/** A drawing as a PNG. @throws Error with the reason, one line, where it is too large or takes too long. */
export async function drawnSvg(svg: Uint8Array, how: Omit<Required<SvgJob>, 'svg'>): Promise<Uint8Array> {
  const reply = await inTurn({ svg, ...how });
  if ('png' in reply) return reply.png;
  throw new Error('reason' in reply ? reply.reason : 'it was not drawn');
}

/** One after the other: what a job uses is measured by what the process does. */
function inTurn(job: SvgJob): Promise<SvgReply> {
  const reply = last.then(() => sent(job));
  last = reply.catch(() => undefined);
  return reply;
}

function sent(job: SvgJob): Promise<SvgReply> {
  drawer ??= fork(createRequire(import.meta.url).resolve('clip-vqdiffusion/workers/drawing'), {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  });
  const child = drawer;
  child.ref();
  child.channel?.ref();
  return new Promise((resolve) => {
    const settle = (reply: SvgReply, isGone: boolean) => {
      child.off('message', received).off('exit', ended).off('error', failed);
      // Does not keep this process alive while there is nothing to draw.
      child.unref();
      child.channel?.unref();
      if (isGone) drawer = undefined;
      resolve(reply);
    };
    const received = (reply: SvgReply) => settle(reply, 'isOver' in reply);
    const ended = (code: number | null, signal: string | null) =>
      settle({ reason: `drawing it ended with ${signal ?? `exit code ${code}`}` }, true);
    const failed = (error: Error) => settle({ reason: error.message }, true);
    child.on('message', received).on('exit', ended).on('error', failed);
    child.send(job, (error) => error && failed(error));
  });
}
