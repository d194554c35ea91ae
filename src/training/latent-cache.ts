/** Codes and CLIP embeddings on the disk: two stores of records, and the latents that are read from them. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { RecordStore } from '../data/cache/record-store.ts';
import type { ImageSource } from '../data/sources/source.ts';
import type { Latents } from '../diffusion/latents.ts';
import type { Watch } from '../stage/context.ts';
import { fingerprint } from '../stage/fingerprint.ts';

/** What made the latents: a change of one makes anew what depends on it, and nothing else. */
export interface LatentOrigin {
  /** What is done to pictures before they are encoded. */
  readonly pictures: string;
  readonly tokenizer: string;
  readonly tokens: number;
  readonly clip: string;
  readonly dim: number;
}

export interface LatentCache {
  readonly codes: RecordStore;
  readonly embeddings: RecordStore;
  close(): void;
}

/**
 * The stores of codes (int32) and embeddings (float32), of the machine's byte order; those of other models are removed.
 */
export function openLatentCache(folder: string, origin: LatentOrigin): LatentCache {
  const open = (kind: string, width: number, ...made: string[]): RecordStore => {
    const name = `${kind}-${fingerprint(origin.pictures, ...made)}`;
    for (const file of fs.existsSync(folder) ? fs.readdirSync(folder) : [])
      if (file.startsWith(`${kind}-`) && !file.startsWith(`${name}.`)) fs.rmSync(path.join(folder, file));
    return RecordStore.open(path.join(folder, name), width);
  };
  const codes = open('codes', 4 * origin.tokens, origin.tokenizer);
  const embeddings = open('embeddings', 4 * origin.dim, origin.clip);
  return {
    codes,
    embeddings,
    close() {
      codes.close();
      embeddings.close();
    },
  };
}

/** Take out what is not what was written, so that it is encoded again, and say so. */
export function dropDamaged({ codes, embeddings }: LatentCache, { display }: Pick<Watch, 'display'>): void {
  const [badCodes, badEmbeddings] = [codes, embeddings].map((store) => {
    const slots = store.damaged();
    store.drop(slots);
    return slots.length + store.lost;
  }) as [number, number];
  if (badCodes + badEmbeddings > 0)
    display.note(
      `The cache was damaged: the codes of ${badCodes} pictures and the embeddings of ${badEmbeddings} are made again`,
    );
}

/** The key of one view of a picture: the first is the picture itself. */
export const viewKey = (contentId: string, view: number): string =>
  view === 0 ? contentId : createHash('sha256').update(`${contentId} ${view}`).digest('hex').slice(0, 32);

export const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array | Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Latents that stay on the disk: in memory are two numbers a view. */
export function storedLatents(
  { codes, embeddings }: LatentCache,
  source: Pick<ImageSource, 'size' | 'id' | 'contentId'>,
  views: number,
  tokens: number,
  dim: number,
): Latents {
  const slots = (store: RecordStore): Int32Array => {
    const found = new Int32Array(source.size * views);
    for (let row = 0; row < source.size; row++)
      for (let view = 0; view < views; view++)
        found[row * views + view] = store.slotOf(viewKey(source.contentId(row), view));
    return found;
  };
  const [codeSlots, embeddingSlots] = [slots(codes), slots(embeddings)];
  return {
    size: source.size,
    views,
    tokens,
    dim,
    gather(rows, ofViews) {
      const taken = { codes: new Int32Array(rows.length * tokens), embeddings: new Float32Array(rows.length * dim) };
      const [codeBytes, embeddingBytes] = [bytesOf(taken.codes), bytesOf(taken.embeddings)];
      for (let i = 0; i < rows.length; i++) {
        const at = rows[i]! * views + ofViews[i]!;
        const isWhole =
          codes.read(codeSlots[at]!, codeBytes, 4 * i * tokens) &&
          embeddings.read(embeddingSlots[at]!, embeddingBytes, 4 * i * dim);
        if (!isWhole)
          throw new UserError(
            `The cache of codes and embeddings was damaged while it was read (${source.id(rows[i]!)}): resume, and what is damaged is made again`,
          );
      }
      return taken;
    },
  };
}
