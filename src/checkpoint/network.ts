/** Requests as the user's environment sets them up: through HTTP_PROXY, HTTPS_PROXY and NO_PROXY where they are set. */

import { getProxyForUrl } from 'proxy-from-env';
import type { ProxyAgent, RequestInit, Response } from 'undici';
import { messageOf, UserError } from '../base/errors.ts';

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
    return await fetch(url, { ...init, ...(agent && { dispatcher: agent }) });
  } catch (error) {
    init.signal?.throwIfAborted();
    throw unreachable(url, error);
  }
}

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
