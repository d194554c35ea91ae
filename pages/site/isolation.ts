/** Threads where no headers can be set: the service worker that adds them, and one reload under it. */

const TRIED = 'clipvq-isolation';

/**
 * Isolate the page if that takes no more than a reload, of which there is one a session. Resolves if there will be
 * none.
 */
export async function isolate(): Promise<void> {
  const { serviceWorker, hardwareConcurrency = 1 } = navigator;
  if (globalThis.crossOriginIsolated || !serviceWorker || hardwareConcurrency < 2) return;
  try {
    if (sessionStorage.getItem(TRIED)) return;
    sessionStorage.setItem(TRIED, 'yes');
    await serviceWorker.register(new URL('isolate.js', location.href));
    await serviceWorker.ready;
  } catch {
    // Not here, or not allowed: one thread does.
    return;
  }
  location.reload();
  await new Promise(() => {});
}
