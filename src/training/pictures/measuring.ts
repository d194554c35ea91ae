/** Pictures to measure a run on: such that it has not learned from, where there are any. */

import path from 'node:path';
import { type Crop, wholePicture } from '../../data/pictures/crop.ts';
import type { Rejected } from '../../data/sources/containers/container.ts';
import { isNamedSource } from '../../data/sources/open.ts';
import { openSample, sampleOf } from '../../data/sources/sample.ts';
import type { ImageSource } from '../../data/sources/source.ts';
import type { RunDirectory } from '../../run/directory.ts';
import type { Watch } from '../../stage/context.ts';
import { HELD_OUT_FACES_OFFSET, openPictures, pictureOptions } from './pictures.ts';

export interface MeasuringOptions extends Watch {
  /** Pictures at most, drawn at random. */
  readonly count: number;
  /** Called with what cannot be used of other pictures than the run's. */
  readonly onRejected: (rejected: Rejected) => void;
}

export interface Measuring {
  readonly source: ImageSource;
  /** What training has kept of a picture, where that is the same each time. */
  readonly crop: Crop | undefined;
  /** What is to be known of the run's own; undefined for others. */
  readonly about: string | undefined;
  /** Whether no stage has learned from them, as far as can be known. */
  readonly areUnseen: boolean;
}

/**
 * A sample of the pictures that a run has held out, or, for `data`, of others. The run's own are opened by its
 * inventory: only what has changed is inspected.
 * @throws UserError if there are none.
 */
export async function openMeasuring(
  run: RunDirectory,
  data: string | undefined,
  { count, onRejected, ...watch }: MeasuringOptions,
): Promise<Measuring> {
  const { settings } = run;
  const { pictures } = settings.recipe;
  const crop = pictures.crop === 'pad' ? wholePicture : undefined;
  const sample = { count, seed: settings.seed };
  const where = data ?? settings.data;
  const isOwn = !isNamedSource(where) && path.resolve(where) === path.resolve(settings.data);
  if (!isOwn) {
    const source = await openSample(where, sample, {
      faces: { seed: settings.seed, count, offset: HELD_OUT_FACES_OFFSET },
      ...pictureOptions(pictures),
      signal: watch.signal,
      onRejected,
    });
    const about = where === 'fashion-mnist' && where === settings.data ? LEARNED : undefined;
    return { source, crop, about, areUnseen: about === undefined };
  }
  const { source, heldOut } = await openPictures({ ...settings, data: where }, watch, run);
  const chosen = sampleOf(heldOut.size > 0 ? heldOut : source, sample);
  const areUnseen = heldOut.size > 0;
  return { source: chosen, crop, about: areUnseen ? keptApart(chosen.size, heldOut.size) : LEARNED, areUnseen };
}

const keptApart = (shown: number, all: number): string =>
  `These are ${shown === all ? `the ${all}` : `${shown} of the ${all}`} pictures that the run has held out from training`;

const LEARNED =
  'The model has learned from these pictures, so that the numbers flatter it: a new run holds some out (pictures.holdOut), or name others';
