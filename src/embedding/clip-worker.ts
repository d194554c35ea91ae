/** The embedder's worker. */

import { HandedOver } from '../base/calls.ts';
import { messageOf, UserError } from '../base/errors.ts';
import { serveThread } from '../base/worker-calls.ts';
import type { ClipModel } from './clip-model.ts';
import type { ClipCalls, ClipOpening } from './clip-protocol.ts';
import { openCompactClip } from './compact/compact-clip.ts';

let clip: ClipModel | undefined;
/** Whether this thread has loaded the library, which takes memory until the thread ends. */
let hasLibrary = false;

/** A CLIP of this program, or any other. */
async function load(opening: ClipOpening): Promise<ClipModel> {
  const library = async (): Promise<ClipModel> => {
    hasLibrary = true;
    return (await import('./library-clip.ts')).openLibraryClip(opening);
  };
  return (await openCompactClip(opening, library)) ?? library();
}

/** What went wrong on the way to a loaded model, with what can be done about it. */
function loadFailure(error: unknown, { source }: ClipOpening): UserError {
  const reason = messageOf(error).replaceAll(/\s+/g, ' ');
  const remedy = `cannot load the CLIP ${source.model} (${reason}); fetch or train it again, or give another folder`;
  return error instanceof UserError ? error : new UserError(remedy);
}

function opened(): ClipModel {
  if (!clip) throw new Error('no CLIP is open in this thread');
  return clip;
}

const handedOver = (rows: Float32Array): HandedOver<Float32Array> => new HandedOver(rows, [rows.buffer as ArrayBuffer]);

// One at a time: the models share the threads anyway.
serveThread<ClipCalls>({
  async open(opening) {
    clip = await load(opening).catch((error: unknown) => {
      throw loadFailure(error, opening);
    });
    return clip.facts;
  },
  images: async ({ images }) => handedOver(await opened().embedImages(images)),
  knowledge: ({ texts }) => opened().knowledge(texts),
  texts: async ({ texts, truncate }) => handedOver(await opened().embedTexts(texts, truncate)),
  async close() {
    await clip?.release();
    clip = undefined;
    return !hasLibrary;
  },
});
