/** What the handlers of requests share. */

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { UserError } from '../../base/errors.ts';
import { sizeText } from '../data/sets.ts';
import { TooLarge } from '../refusals.ts';
import type { Studio } from '../studio.ts';

export interface Env {
  readonly Bindings: HttpBindings;
  readonly Variables: { readonly studio: Studio };
}

/** No request in JSON is larger. */
const MOST_JSON = 2 ** 19;

/**
 * The JSON of a request.
 * @throws TooLarge, UserError if it is none.
 */
export async function jsonOf(context: Context<Env>): Promise<unknown> {
  const type = context.req.header('content-type') ?? '';
  if (!/^application\/json(;|$)/i.test(type)) throw new UserError('Send JSON: Content-Type: application/json');
  const bytes = await bytesOf(context, MOST_JSON);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new UserError('The request is no JSON: send one document in UTF-8');
  }
}

/** The body of a request, of at most so many bytes. @throws TooLarge if there are more. */
export async function bytesOf(context: Context<Env>, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bodyOf(context, most)) {
    size += chunk.length;
    if (size > most) throw new TooLarge(`More than ${sizeText(most)} were sent: send less`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The body as it arrives. @throws TooLarge if more is announced than it may be. */
export function bodyOf(context: Context<Env>, most: number): AsyncIterable<Uint8Array> {
  if (Number(context.req.header('content-length') ?? 0) > most)
    throw new TooLarge(`More than ${sizeText(most)} are to be sent: send less`);
  return context.env.incoming;
}

/** What is not to be kept by browsers. */
export const png = (context: Context<Env>, bytes: Buffer, headers: Readonly<Record<string, string>> = {}) =>
  context.body(new Uint8Array(bytes), 200, { 'Content-Type': 'image/png', 'Cache-Control': 'no-store', ...headers });
