/** What the stages of a run learn from, opened when the first of them needs it. */

import type { CaptionedPictures } from '../clip/batches.ts';
import type { PictureReader } from '../data/cache/reader.ts';
import type { DenoiserData } from '../diffusion/descriptor.ts';
import type { Lineage } from '../stage/stage.ts';
import type { RunContext } from './context.ts';
import { RunLatents } from './latents/latents.ts';
import { RunPairs } from './pictures/pairs.ts';
import { type Pictures, type RunPictures, readyPictures } from './pictures/pictures.ts';

/** One kind of data. */
export interface DataSource<Data> {
  /** What it holds, without an engine or a network; undefined where that follows from the run's settings. */
  identity(): Promise<string | undefined>;
  /** The parts of that identity, each under its name. */
  madeFrom(): Promise<Lineage>;
  open(): Promise<Data>;
  close(): void;
}

/** The kinds of data: a stage sees one of them. */
export interface DataKinds {
  readonly pairs: CaptionedPictures;
  readonly pictures: PictureReader;
  readonly latents: DenoiserData;
}

export type StageData = { readonly [Kind in keyof DataKinds]: DataSource<DataKinds[Kind]> };

/** @param pictures what `openPictures` found; stages that see pairs alone need none. */
export function stageData(context: RunContext, pictures: Pictures | undefined): StageData {
  let ready: RunPictures | undefined;
  const readied = (): RunPictures => {
    if (!pictures) throw new Error('a stage that learns from pictures runs without any');
    ready ??= readyPictures(context.run, pictures, context, context.ranks);
    return ready;
  };
  return {
    pairs: new RunPairs(context),
    pictures: {
      identity: async () => readied().id,
      madeFrom: async () => ({ pictures: readied().id }),
      open: async () => readied().reader,
      close: () => ready?.reader.close(),
    },
    latents: new RunLatents(context, readied),
  };
}
