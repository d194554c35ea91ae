/** What a view fetches: waiting, there, or refused with a reason. */

import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { StudioEvent } from '../../src/studio/protocol.ts';
import { get, Refused } from './api.ts';
import { link, onEvent } from './store.ts';

export type Loaded<T> =
  | { readonly state: 'waiting' }
  | { readonly state: 'there'; readonly value: T }
  | { readonly state: 'refused'; readonly error: string; readonly status: number };

/**
 * The answer to a path, fetched again when the path changes, when the server comes back, and soon after an event for
 * which `isStale` holds. What is there stays until the new answer is:
 * a view of something else wants a key.
 */
export function useLoaded<T>(
  path: string | undefined,
  isStale: (event: StudioEvent) => boolean = () => false,
): Signal<Loaded<T>> {
  const loaded = useSignal<Loaded<T>>({ state: 'waiting' });
  const isOnline = link.value === 'online';
  useEffect(() => {
    if (path === undefined) return;
    let isGone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const load = async () => {
      timer = undefined;
      try {
        const value = await get<T>(path);
        if (!isGone) loaded.value = { state: 'there', value };
      } catch (error) {
        const { message, status } = error instanceof Refused ? error : new Refused(String(error), 0);
        // Without an answer the page says so anyway, and what was there is still the newest.
        if (!isGone && !(status === 0 && loaded.value.state === 'there'))
          loaded.value = { state: 'refused', error: message, status };
      }
    };
    void load();
    const stop = onEvent((event) => {
      if (isStale(event)) timer ??= setTimeout(() => void load(), 1000);
    });
    return () => {
      isGone = true;
      clearTimeout(timer);
      stop();
    };
  }, [path, isOnline]);
  return loaded;
}
