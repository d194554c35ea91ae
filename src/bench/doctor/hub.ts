/** Whether the hub of models answers. */

import { messageOf } from '../../base/errors.ts';
import { endpoint, isOffline } from '../../embedding/sources/hub.ts';
import { request } from '../../files/network.ts';

export interface Hub {
  readonly address: string;
  /** `skipped` where nothing may be fetched. */
  readonly state: 'reachable' | 'unreachable' | 'skipped';
  readonly reason: string | undefined;
  readonly proxy: boolean;
}

export interface HubOptions {
  /** Fetch nothing. */
  readonly offline?: boolean | undefined;
  /** Milliseconds that the hub has for its answer. */
  readonly patience?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Send the hub one request, unless nothing may be fetched. @throws what the signal was aborted with. */
export async function tryHub({ offline, patience = 5000, signal }: HubOptions): Promise<Hub> {
  const address = endpoint();
  const proxy = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].some(
    (name) => (process.env[name] ?? '') !== '',
  );
  if (offline || isOffline({})) return { address, state: 'skipped', reason: undefined, proxy };
  const limit = AbortSignal.timeout(patience);
  try {
    const both = signal ? AbortSignal.any([signal, limit]) : limit;
    const response = await request(address, { method: 'HEAD', signal: both });
    const isThere = response.status < 500;
    return {
      address,
      state: isThere ? 'reachable' : 'unreachable',
      reason: isThere ? undefined : `it answers ${response.status}`,
      proxy,
    };
  } catch (error) {
    signal?.throwIfAborted();
    const reason = limit.aborted ? `no answer within ${patience / 1000} s` : messageOf(causeOf(error));
    return { address, state: 'unreachable', reason, proxy };
  }
}

const causeOf = (error: unknown): unknown =>
  error instanceof Error && error.cause !== undefined ? causeOf(error.cause) : error;
