/** Ranks that train together hold the same weights: a difference is a fault of the machine. */

import { UserError } from '../../base/errors.ts';
import type { ImageSource } from '../../data/sources/source.ts';
import { firstOther, gatherTexts, type Ranks } from '../../mpi/ranks.ts';
import type { RunSettings } from '../../stage/context.ts';
import { fingerprint } from '../../stage/fingerprint.ts';
import type { Stage } from '../../stage/stage.ts';
import { partsText } from '../standing.ts';

/**
 * Compare what the ranks have read by themselves before anything is trained: settings, seed, and the contents of the
 * pictures in their order.
 * @throws UserError naming the first rank that differs from rank 0, and in what.
 */
export async function assertSameInputs(
  ranks: Ranks,
  { recipe, seed }: Pick<RunSettings, 'recipe' | 'seed'>,
  pictures: Pick<ImageSource, 'size' | 'contentId'> | undefined,
): Promise<void> {
  if (ranks.size === 1) return;
  const contents = pictures && Array.from({ length: pictures.size }, (_, i) => pictures.contentId(i));
  const sections = Object.entries(recipe).map(([name, section]) => [`the ${name} settings`, JSON.stringify(section)]);
  const parts = { ...Object.fromEntries(sections), seed: `${seed}`, pictures: fingerprint(...(contents ?? [])) };
  await assertSameParts(ranks, parts, '');
}

/**
 * Compare what the ranks are about to train: settings, pictures and models, as a stage's fingerprint has them, and what
 * a resumed run may change.
 * @throws UserError naming the first rank that differs from rank 0.
 */
export async function assertSameStart(ranks: Ranks, stage: Stage): Promise<void> {
  if (ranks.size === 1) return;
  const { name, fingerprint: identity, madeFrom = {}, steps, batch } = stage;
  const rates = [0, 0.5, 1].map((part) => `${stage.learningRate?.(Math.floor(part * (steps - 1)))}`);
  const schedule = [steps, batch, ...rates].join();
  await assertSameParts(ranks, { ...madeFrom, schedule, fingerprint: identity }, `${name}: `);
}

async function assertSameParts(ranks: Ranks, parts: Readonly<Record<string, string>>, where: string): Promise<void> {
  const all = await gatherTexts(ranks, JSON.stringify(parts));
  const other = firstOther(all);
  if (other < 0) return;
  const [first, its] = [all[0]!, all[other]!].map((text) => JSON.parse(text) as Readonly<Record<string, string>>);
  const different = Object.keys(first!).filter((part) => part !== 'fingerprint' && first![part] !== its![part]);
  throw new UserError(
    `${where}rank ${other} differs from rank 0 in ${partsText(different) || 'what it is made from'}: start all ranks with the same words, on a folder that all machines share`,
  );
}

/**
 * Compare a hash over all ranks.
 * @throws UserError naming the first rank that differs from rank 0.
 */
export async function assertAlike(ranks: Ranks, hash: string, where: string): Promise<void> {
  if (ranks.size === 1) return;
  const other = firstOther(await gatherTexts(ranks, hash));
  if (other >= 0)
    throw new UserError(
      `${where}: the weights of rank ${other} are not those of rank 0 any more: its processor, memory or MPI library is at fault; the checkpoint before it is sound`,
    );
}
