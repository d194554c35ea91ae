/** Where the model and the runtime come from: files beside the page, or the page itself. */

interface Asset {
  readonly file: string;
  /** As it lies there, packed. */
  readonly bytes: number;
}

/** What the export has written into the page. */
export interface PageData {
  readonly title?: string;
  /** Files beside the page; left out where everything is in it. */
  readonly files?: { readonly model: Asset; readonly wasm: Asset; readonly webgpu: Asset };
}

export function pageData(): PageData {
  const text = document.getElementById('page')?.textContent ?? '{}';
  return JSON.parse(text) as PageData;
}

export type OnProgress = (done: number, total: number) => void;

/**
 * Fetch files, all at once; where one fails, the others end. `onProgress` counts bytes over all of them, `onFile` is
 * called with each, packed, as soon as it is there, by its place in the list.
 */
export async function fetchAll(
  assets: readonly Asset[],
  onProgress: OnProgress,
  onFile: (at: number, file: Blob) => void | Promise<void>,
): Promise<void> {
  const total = assets.reduce((sum, { bytes }) => sum + bytes, 0);
  const stop = new AbortController();
  let done = 0;
  const count = (bytes: number) => {
    done += bytes;
    if (!stop.signal.aborted) onProgress(Math.min(done, total), total);
  };
  const fetched = assets.map(async ({ file }, at) => {
    const blob = await fetchFile(file, stop.signal, count);
    if (!stop.signal.aborted) await onFile(at, blob);
  });
  await Promise.all(fetched).finally(() => stop.abort());
}

async function fetchFile(file: string, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<Blob> {
  const response = await fetch(new URL(file, location.href), { signal }).catch(() => undefined);
  if (!response?.ok || !response.body)
    throw new Error(
      response
        ? `${file} could not be fetched: the server answers ${response.status}`
        : `${file} could not be fetched: is the network there?`,
    );
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const reader = response.body.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return new Blob(pieces);
    pieces.push(value);
    onBytes(value.length);
  }
}

/**
 * What lies in the page, as base64 in an element that is no script. The page may still be read: then it comes later.
 */
export async function inPage(id: string): Promise<Blob> {
  // What nothing follows yet may be there in part.
  if (!document.getElementById(id)?.nextSibling && document.readyState === 'loading')
    await new Promise((resolve) => document.addEventListener('DOMContentLoaded', resolve, { once: true }));
  const element = document.getElementById(id);
  const bytes = fromBase64(element?.textContent ?? '');
  // The text is needed once, and is large.
  element?.remove();
  return new Blob([bytes]);
}

/** The browser's own reader where it has one: it takes a tenth of the time. */
function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const { fromBase64: read } = Uint8Array as { readonly fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };
  return read ? read(text) : Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
