/** Server-sent events: one stream a listener, which ends when the browser leaves or falls behind. */

import type { Context } from 'hono';
import { TooMany } from '../refusals.ts';
import type { Env } from './context.ts';

/** Streams at a time; a browser holds one a tab. */
const MOST_STREAMS = 32;

/** Events as a stream that ends when the page leaves, or the studio. */
export function streamEvents(context: Context<Env>): Response {
  const { events, ...studio } = { events: context.var.studio.events, present: () => context.var.studio.present() };
  if (events.listeners >= MOST_STREAMS) throw new TooMany(`${MOST_STREAMS} pages listen already: close some of them`);
  const listener = events.listen(studio.present());
  const encoder = new TextEncoder();
  context.env.outgoing.once('close', () => events.leave(listener));
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const text = await listener.next();
        if (text === undefined) controller.close();
        else controller.enqueue(encoder.encode(text));
      },
      cancel: () => events.leave(listener),
    },
    // What a slow reader has not taken stays with the listener, where it is counted.
    { highWaterMark: 0 },
  );
  return context.body(body, 200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  });
}
