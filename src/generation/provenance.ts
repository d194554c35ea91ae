/**
 * What a PNG says of how it was made: in our own words, in those that other tools read, and that a machine has made it.
 */

import { machineMadeXmp, XMP_KEYWORD } from '../data/pictures/made-by-machine.ts';
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

/** How a picture was made, as its file keeps it. */
export interface Provenance {
  readonly image: { readonly width: number; readonly height: number };
  readonly prompt: string;
  /** What the picture was guided away from. */
  readonly negative?: string | undefined;
  readonly seed: number;
  readonly settings: SamplingChoice;
  readonly edit?: Edit | undefined;
}

/** The text chunks of a picture, by keyword. `model` is the hash of the weights and the recipe. */
export function provenanceTexts(picture: Provenance, model: string, version: string): Readonly<Record<string, string>> {
  const { prompt, negative, seed, settings, edit } = picture;
  const program = `clip-vqdiffusion ${version}`;
  return {
    Software: program,
    Prompt: prompt,
    ...(negative !== undefined && { 'Negative prompt': negative }),
    Seed: `${seed}`,
    Settings: JSON.stringify(settings),
    Model: model,
    ...(edit && { Edit: JSON.stringify(edit) }),
    [XMP_KEYWORD]: machineMadeXmp('trainedAlgorithmicMedia', program),
    parameters: parametersOf(picture, model, program),
  };
}

/** The chunk `parameters` as common tools write and read it: the prompt, what to avoid, and a line of settings. */
function parametersOf({ image, prompt, negative, seed, settings, edit }: Provenance, model: string, program: string) {
  const facts: readonly (readonly [name: string, value: string | number])[] = [
    ['Steps', settings.steps],
    ['Sampler', settings.sampler],
    ['CFG scale', settings.guidanceScale],
    ['Seed', seed],
    ['Size', `${image.width}x${image.height}`],
    ['Model hash', model],
    ...(edit ? [['Denoising strength', edit.strength] as const] : []),
    ['Version', program],
  ];
  return [
    oneLine(prompt),
    ...(negative === undefined ? [] : [`Negative prompt: ${oneLine(negative)}`]),
    facts.map(([name, value]) => `${name}: ${value}`).join(', '),
  ].join('\n');
}

/** Readers tell the parts apart by their lines. */
const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();
