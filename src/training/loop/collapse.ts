/** A stage that has collapsed is trained to the end all the same: a note explains what its numbers mean. */

import { option } from '../../base/options.ts';
import type { Recipe } from '../../recipe/schema.ts';
import type { Metrics } from '../../stage/stage.ts';

/** Below this share of the codebook in use, pictures look alike. */
const FEW_CODES = 1 / 8;

/** A note if the last metrics of a stage show a collapse, with the setting to change. */
export function collapseNote(stage: string, { perplexity }: Metrics, recipe: Recipe): string | undefined {
  const { codes, reviveAfter } = recipe.tokenizer;
  if (stage !== 'tokenizer' || perplexity === undefined || perplexity >= FEW_CODES * codes) return undefined;
  const remedy =
    reviveAfter === 0
      ? `${option('set', 'tokenizer.reviveAfter=100')} brings unused codes back`
      : 'more pictures, more steps or a smaller tokenizer.codes help';
  return `tokenizer: its pictures are made of about ${perplexity.toFixed(0)} of ${codes} codes (perplexity): it has collapsed, and pictures will look alike; ${remedy}`;
}
