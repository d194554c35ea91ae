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
 * called with each as soon as it is there, by its place in the list.
 */
export async function fetchAll(
  assets: readonly Asset[],
  onProgress: OnProgress,
  onFile: (at: number, bytes: ArrayBuffer) => void,
): Promise<void> {
  const total = assets.reduce((sum, { bytes }) => sum + bytes, 0);
  const stop = new AbortController();
  let done = 0;
  const count = (bytes: number) => {
    done += bytes;
    if (!stop.signal.aborted) onProgress(Math.min(done, total), total);
  };
  const fetched = assets.map(async ({ file }, at) => {
    const bytes = await unpacked(await fetchFile(file, stop.signal, count));
    if (!stop.signal.aborted) onFile(at, bytes);
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

/** What lies in the page, as base64 in an element that is no script. */
export async function inPage(id: string): Promise<ArrayBuffer> {
  const element = document.getElementById(id);
  const text = atob(element?.textContent?.trim() ?? '');
  // The text is needed once, and is large.
  element?.remove();
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return unpacked(new Blob([bytes]));
}

/** Packed bytes unpacked. Some servers unpack them on the way: then they are as they should be. */
async function unpacked(blob: Blob): Promise<ArrayBuffer> {
  const [first, second] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  if (first !== 0x1f || second !== 0x8b) return blob.arrayBuffer();
  return new Response(blob.stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}
