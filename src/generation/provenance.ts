/** What a PNG says of how it was made. */

import type { SamplingChoice } from './options.ts';

/** How a picture went on from another one. */
export interface Edit {
  /** Identity of the other picture's codes, 16 hex digits. */
  readonly start: string;
  /** Share of the chain that was drawn. */
  readonly strength: number;
  /** Codes that the mask named; undefined where there was none. */
  readonly named: number | undefined;
  /** Codes that came out different. */
  readonly changed: number;
}

export interface Provenance {
  readonly prompt: string;
  /** What the picture was guided away from. */
  readonly negative?: string | undefined;
  readonly seed: number;
  readonly settings: SamplingChoice;
  readonly edit?: Edit | undefined;
}

/** The text chunks of a picture, by keyword. `model` is the hash of the weights and the recipe. */
export const provenanceTexts = (
  { prompt, negative, seed, settings, edit }: Provenance,
  model: string,
  version: string,
): Readonly<Record<string, string>> => ({
  Software: `clip-vqdiffusion ${version}`,
  Prompt: prompt,
  ...(negative !== undefined && { 'Negative prompt': negative }),
  Seed: `${seed}`,
  Settings: JSON.stringify(settings),
  Model: model,
  ...(edit && { Edit: JSON.stringify(edit) }),
});
