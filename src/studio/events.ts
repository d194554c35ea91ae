/** Events of the studio, for every listener. Slow listeners lose previews, and in the end their connection. */

import type { StudioEvent } from './protocol.ts';

/** Messages that wait for a listener before it is let go: it connects again and begins with the present. */
const MOST_WAITING = 500;
/** Bytes that wait for it. */
const MOST_BYTES = 16 * 2 ** 20;

interface Message {
  readonly text: string;
  /** What a newer message takes the place of. */
  readonly replaces: string | undefined;
}

/** The messages for one listener, each as text of a stream of server-sent events. */
export class Listener {
  #waiting: Message[] = [];
  #bytes = 0;
  #wake: (() => void) | undefined;
  #isClosed = false;

  /** The next text; undefined once it is closed. */
  async next(): Promise<string | undefined> {
    while (this.#waiting.length === 0 && !this.#isClosed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const message = this.#waiting.shift();
    if (message) this.#bytes -= message.text.length;
    return message?.text;
  }

  push(message: Message): void {
    if (this.#isClosed) return;
    const at =
      message.replaces === undefined ? -1 : this.#waiting.findIndex((one) => one.replaces === message.replaces);
    if (at >= 0) {
      this.#bytes -= this.#waiting[at]!.text.length;
      this.#waiting.splice(at, 1);
    }
    this.#waiting.push(message);
    this.#bytes += message.text.length;
    if (this.#waiting.length > MOST_WAITING || this.#bytes > MOST_BYTES) this.close();
    this.#wake?.();
  }

  /** Nothing more comes. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#wake?.();
  }
}

/** Milliseconds between two signs of life, which show that a listener is gone. */
const SIGN_OF_LIFE = 15_000;

/** Sends every event to all pages that listen. */
export class Events {
  readonly #listeners = new Set<Listener>();
  #count = 0;
  readonly #timer = setInterval(() => {
    for (const listener of this.#listeners) listener.push({ text: ': here\n\n', replaces: 'sign of life' });
  }, SIGN_OF_LIFE).unref();

  get listeners(): number {
    return this.#listeners.size;
  }

  /** A new listener, whose first message is `present`. */
  listen(present: StudioEvent): Listener {
    const listener = new Listener();
    listener.push(this.#message(present));
    this.#listeners.add(listener);
    return listener;
  }

  leave(listener: Listener): void {
    listener.close();
    this.#listeners.delete(listener);
  }

  publish(event: StudioEvent): void {
    if (this.#listeners.size === 0) return;
    const message = this.#message(event);
    for (const listener of this.#listeners) listener.push(message);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const listener of [...this.#listeners]) this.leave(listener);
  }

  #message(event: StudioEvent): Message {
    const replaces = event.type === 'preview' ? `preview ${event.preview.job}` : undefined;
    return { text: `id: ${++this.#count}\ndata: ${JSON.stringify(event)}\n\n`, replaces };
  }
}
