/** What a PNG says of how it was made. */

import type { SamplingChoice } from './options.ts';

export interface Provenance {
  readonly prompt: string;
  /** What the picture was guided away from. */
  readonly negative?: string | undefined;
  readonly seed: number;
  readonly settings: SamplingChoice;
}

/** The text chunks of a picture, by keyword. `model` is the hash of the weights and the recipe. */
export const provenanceTexts = (
  { prompt, negative, seed, settings }: Provenance,
  model: string,
  version: string,
): Readonly<Record<string, string>> => ({
  Software: `clip-vqdiffusion ${version}`,
  Prompt: prompt,
  ...(negative !== undefined && { 'Negative prompt': negative }),
  Seed: `${seed}`,
  Settings: JSON.stringify(settings),
  Model: model,
});
