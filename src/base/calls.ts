/**
 * Typed request and reply between two sides that can only send messages: threads, or processes. One interface names the
 * kinds of requests, each as a function from what it carries to what comes back; `Caller` is the side that calls and
 * `serve` the side that answers.
 */

import type { MessagePort } from 'node:worker_threads';
import { messageOf, UserError } from './errors.ts';

/** Memory, or a port, that is transferred instead of copied. */
export type Transferable = ArrayBuffer | MessagePort;

/** A connection to the other side, in both directions. */
export interface Channel {
  send(message: CallMessage | ReplyMessage, transfer?: readonly Transferable[]): void;
  listen(receive: (message: unknown) => void): void;
  /** Called when the first call is under way, and when the last one is answered. */
  readonly busy?: (isBusy: boolean) => void;
}

export interface CallMessage {
  readonly id: number;
  readonly kind: string;
  readonly request: unknown;
}

export type ReplyMessage =
  | { readonly id: number; readonly reply: unknown }
  /** `isMistake`: the user can mend it. */
  | { readonly id: number; readonly error: string; readonly isMistake?: boolean };

/** The argument of a kind of request. */
export type RequestOf<T, K extends keyof T> = T[K] extends (request: infer R) => unknown ? R : never;
/** The result of a kind of request. */
export type ReplyOf<T, K extends keyof T> = T[K] extends (request: never) => infer R ? R : never;

/** A reply, and memory in it that is transferred instead of copied. */
export class HandedOver<R> {
  constructor(
    readonly reply: R,
    readonly buffers: readonly ArrayBuffer[],
  ) {}
}

type Answer<R> = R | HandedOver<R>;

/** A function for each kind of request. */
export type Handlers<T> = {
  readonly [K in keyof T]: (request: RequestOf<T, K>) => Answer<ReplyOf<T, K>> | Promise<Answer<ReplyOf<T, K>>>;
};

/** Answers calls, one at a time and in order. What a handler throws is thrown by the call; a UserError stays one. */
export function serve<T>(channel: Channel, handlers: Handlers<T>): void {
  const answer = async ({ id, kind, request }: CallMessage): Promise<void> => {
    try {
      const result = await handlers[kind as keyof T](request as RequestOf<T, keyof T>);
      const [reply, buffers] = result instanceof HandedOver ? [result.reply, result.buffers] : [result, []];
      channel.send({ id, reply }, buffers);
    } catch (error) {
      channel.send({ id, error: messageOf(error), isMistake: error instanceof UserError });
    }
  };
  let queue = Promise.resolve();
  channel.listen((message) => {
    queue = queue.then(() => answer(message as CallMessage));
  });
}

interface Pending {
  readonly resolve: (reply: never) => void;
  readonly reject: (error: Error) => void;
}

/** Calls to the other side of a channel, each answered by a promise. */
export class Caller<T> {
  readonly #channel: Channel;
  /** Calls without an answer so far, including those that were rejected meanwhile. */
  readonly #pending = new Map<number, Pending>();
  #waitingForAll: (() => void)[] = [];
  #calls = 0;
  #failure: Error | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.listen((message) => this.#settle(message as ReplyMessage));
  }

  /** Whether calls are accepted. */
  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** @throws what the handler throws; Error once `stop` or `lose` was called. */
  call<K extends keyof T & string>(
    kind: K,
    request: RequestOf<T, K>,
    transfer: readonly Transferable[] = [],
  ): Promise<ReplyOf<T, K>> {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      if (this.#pending.size === 1) this.#channel.busy?.(true);
      this.#channel.send({ id, kind, request }, transfer);
    });
  }

  /**
   * Rejects later calls with a reason, and with `underWay` set to 'reject' also those that are not answered yet.
   * @returns once the other side has answered everything, rejected calls included, or is gone.
   */
  stop(reason: Error, underWay: 'answer' | 'reject'): Promise<void> {
    this.#failure ??= reason;
    if (underWay === 'reject') for (const { reject } of this.#pending.values()) reject(reason);
    return this.#pending.size === 0 ? Promise.resolve() : new Promise((done) => this.#waitingForAll.push(done));
  }

  /** The other side is gone and will answer nothing more: rejects all calls, also later ones. */
  lose(reason: Error): void {
    this.#failure ??= reason;
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
    this.#rest();
  }

  #settle(message: ReplyMessage): void {
    const waiting = this.#pending.get(message.id);
    if (!waiting) return;
    this.#pending.delete(message.id);
    if ('reply' in message) waiting.resolve(message.reply as never);
    else waiting.reject(message.isMistake ? new UserError(message.error) : new Error(message.error));
    if (this.#pending.size === 0) this.#rest();
  }

  #rest(): void {
    this.#channel.busy?.(false);
    for (const done of this.#waitingForAll) done();
    this.#waitingForAll = [];
  }
}
