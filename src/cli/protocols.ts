/** Published ways of evaluating a model, as `clipvq evaluate --protocol` follows them. */

import { UserError } from '../base/errors.ts';

export const protocols = ['ffhq', 'coco'] as const;
export type Protocol = (typeof protocols)[number];

const COCO_CAPTIONS =
  'captions of COCO val2014 (captions_val2014.json of annotations_trainval2014.zip, from cocodataset.org)';

/** What each sets: candidates for each picture, pictures a prompt, and what stands before a prompt. */
const PROTOCOLS: Readonly<Record<Protocol, { bestOf: number; count: number; prefix: string; prompts: string }>> = {
  ffhq: { bestOf: 16, count: 1, prefix: 'a photograph of ', prompts: 'the 64 prompts of clip2latent' },
  coco: { bestOf: 1, count: 1, prefix: '', prompts: COCO_CAPTIONS },
};

/**
 * Candidates, pictures a prompt, and prompts under a protocol; without one, those of the options.
 * @throws UserError where the protocol's own prompts are not named.
 */
export function underProtocol(
  { protocol, bestOf = 1, count }: { readonly protocol?: Protocol; readonly bestOf?: number; readonly count: number },
  prompts: readonly string[],
  { hasOwnPrompts, prefix }: { readonly hasOwnPrompts: boolean; readonly prefix: string },
): { readonly bestOf: number; readonly count: number; readonly prompts: readonly string[] } {
  if (protocol === undefined) return { bestOf, count, prompts };
  const { prefix: wanted, ...set } = PROTOCOLS[protocol];
  if (!hasOwnPrompts)
    throw new UserError(`--protocol ${protocol} takes ${set.prompts}: name their file with --prompts <file>`);
  // The model may put the prefix there itself.
  return {
    bestOf: set.bestOf,
    count: set.count,
    prompts: prefix === wanted ? prompts : prompts.map((p) => wanted + p),
  };
}
