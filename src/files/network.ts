/** Requests as the user's environment sets them up: through HTTP_PROXY, HTTPS_PROXY and NO_PROXY where they are set. */

import { getProxyForUrl } from 'proxy-from-env';
import type { ProxyAgent, RequestInit, Response } from 'undici';
import { messageOf, UserError } from '../base/errors.ts';
import { recordIn } from '../base/record.ts';

const agents = new Map<string, ProxyAgent>();

/** The way to an address: a proxy, or undefined for the straight one. */
function agentFor(url: string, Agent: typeof ProxyAgent): ProxyAgent | undefined {
  const proxy = getProxyForUrl(url);
  if (proxy === '') return undefined;
  const agent = agents.get(proxy) ?? new Agent(proxy);
  agents.set(proxy, agent);
  return agent;
}

/**
 * `fetch` through the proxies of the environment, which Node's own does not look at before Node 24.
 * @throws UserError if there is no answer; the signal's reason if it fires.
 */
export async function request(url: string, init: RequestInit = {}): Promise<Response> {
  try {
    // Loaded with the first request.
    const { fetch, ProxyAgent } = await import('undici');
    const agent = agentFor(url, ProxyAgent);
    const send = () => fetch(url, { ...init, ...(agent && { dispatcher: agent }) });
    return await send().catch((error: unknown) => {
      if (isClosed(error)) return send();
      throw error;
    });
  } catch (error) {
    init.signal?.throwIfAborted();
    throw unreachable(url, error);
  }
}

/**
 * Whether a connection was closed before it brought an answer: a server may close one that is kept open in the moment
 * in which it is used again. Such a request was not answered, and is sent once more.
 */
const isClosed = (error: unknown): boolean =>
  error instanceof Error && recordIn(error.cause, 'code') === 'UND_ERR_SOCKET';

/** An address does not answer. */
export class Unreachable extends UserError {
  constructor(
    url: string,
    /** The system's reason. */
    readonly reason: string,
    options: ErrorOptions,
  ) {
    super(`${url} cannot be fetched (${reason}): check the network, or fetch it by hand`, options);
  }
}

/** In one line, with the reason that the system gives. */
export function unreachable(url: string, error: unknown): Unreachable {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return new Unreachable(url, messageOf(cause), { cause: error });
}
