/** The embedder's worker. */

import { HandedOver } from '../base/calls.ts';
import { messageOf, UserError } from '../base/errors.ts';
import { serveThread, threadOptions } from '../base/worker-calls.ts';
import type { ClipModel } from './clip-model.ts';
import type { ClipCalls, ClipWorkerOptions } from './clip-protocol.ts';
import { openCompactClip } from './compact/compact-clip.ts';

const { source, threads } = threadOptions<ClipWorkerOptions>();

const library = async (): Promise<ClipModel> =>
  (await import('./library-clip.ts')).openLibraryClip({ source, threads });

/** A CLIP of this program, or any other. */
const load = async (): Promise<ClipModel> => (await openCompactClip({ source, threads }, library)) ?? library();

/** What went wrong on the way to a loaded model, with what can be done about it. */
function loadFailure(error: unknown): UserError {
  const reason = messageOf(error).replaceAll(/\s+/g, ' ');
  const remedy = `cannot load the CLIP ${source.model} (${reason}); fetch or train it again, or give another folder`;
  return error instanceof UserError ? error : new UserError(remedy);
}

let opened: Promise<ClipModel> | undefined;

/** The model, loaded at the first call. */
function open(): Promise<ClipModel> {
  opened ??= load().catch((error: unknown) => {
    throw loadFailure(error);
  });
  return opened;
}

const handedOver = (rows: Float32Array): HandedOver<Float32Array> => new HandedOver(rows, [rows.buffer as ArrayBuffer]);

// One at a time: the models share the threads anyway.
serveThread<ClipCalls>({
  facts: async () => (await open()).facts,
  images: async ({ images }) => handedOver(await (await open()).embedImages(images)),
  knowledge: async ({ texts }) => (await open()).knowledge(texts),
  texts: async ({ texts, truncate }) => handedOver(await (await open()).embedTexts(texts, truncate)),
});
