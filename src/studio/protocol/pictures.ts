/** Pictures of the history. */

import type { Time } from './basics.ts';
import type { DrawSettings } from './jobs.ts';

export type PictureKind = 'create' | 'vary' | 'interpolate' | 'repaint' | 'import';

export interface Picture {
  readonly id: string;
  readonly kind: PictureKind;
  /** Also the alt text. Of an imported picture that is none of ours: its file name. */
  readonly prompt: string;
  readonly negative: string | undefined;
  /** Undefined for an imported picture that is none of ours; so are `settings` and `model`. */
  readonly seed: number | undefined;
  /** All sampling settings that it was drawn with. */
  readonly settings: DrawSettings | undefined;
  /** Hash of the model that drew it. */
  readonly model: string | undefined;
  /** Cosine of picture and prompt, in [-1, 1]. */
  readonly clipScore: number | undefined;
  readonly bestOf: number;
  readonly width: number;
  readonly height: number;
  /** 0 is none, 5 the best. */
  readonly rating: number;
  readonly isKept: boolean;
  readonly created: Time;
  readonly job: string | undefined;
  /** Pictures that it was made from, which may be gone. */
  readonly parents: readonly string[];
  readonly strength: number | undefined;
  /** As in `RepaintRequest`. */
  readonly mask: string | undefined;
}

export interface PictureList {
  readonly pictures: readonly Picture[];
  /** All that fit the search. */
  readonly total: number;
  /** For `before`, to go on; undefined at the end. */
  readonly next: string | undefined;
}

/** What is left out stays. */
export interface PictureChange {
  readonly rating?: number | undefined;
  readonly isKept?: boolean | undefined;
}

export interface Imported {
  readonly picture: Picture;
  /** Whether its own text says how it was drawn; then prompt, seed and settings are in `picture`. */
  readonly isOurs: boolean;
  /** Such as that another model drew it. */
  readonly notes: readonly string[];
}
