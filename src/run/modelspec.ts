/** What other programs read of a model file: metadata by the specification modelspec 1.0.1. */

import type { Recipe } from '../recipe/schema.ts';

const PREFIX = 'modelspec.';

const NAMES = [
  'sai_model_spec',
  'architecture',
  'implementation',
  'title',
  'description',
  'license',
  'resolution',
  'hash_sha256',
  'tags',
] as const;

/** The keys of such metadata. They do not belong to a model's identity. */
export const MODELSPEC: readonly string[] = NAMES.map((name) => PREFIX + name);

export interface ModelspecFacts {
  readonly part: 'tokenizer' | 'denoiser';
  readonly title: string;
  /** An SPDX identifier. */
  readonly license: string | undefined;
  readonly recipe: Pick<Recipe, 'imageSize'>;
  /** SHA-256 of the tensors, in hex. */
  readonly hash: string;
}

const DESCRIPTIONS = {
  tokenizer: 'The tokenizer of a CLIP-VQDiffusion model: pictures to codes and back.',
  denoiser: 'The denoiser of a CLIP-VQDiffusion model: codes drawn for a CLIP embedding.',
} as const;

/** Metadata of a model file that is given away. */
export function modelspecTexts({ part, title, license, recipe, hash }: ModelspecFacts): Record<string, string> {
  const facts: Partial<Record<(typeof NAMES)[number], string>> = {
    sai_model_spec: '1.0.1',
    architecture: `clip-vqdiffusion-v1/${part}`,
    implementation: 'clip-vqdiffusion',
    title: `${title}, ${part}`,
    description: DESCRIPTIONS[part],
    ...(license !== undefined && { license }),
    resolution: `${recipe.imageSize}x${recipe.imageSize}`,
    hash_sha256: `0x${hash}`,
    tags: 'text-to-image',
  };
  return Object.fromEntries(Object.entries(facts).map(([name, text]) => [PREFIX + name, text]));
}
