/** What training will cost on this machine, as one call. */

import { lookAtClip } from '../embedding/sources/unopened.ts';
import type { EngineOptions } from '../engine/engine.ts';
import type { StageName } from '../training/stages.ts';
import { recipeOf, type TrainingOptions } from '../training/train.ts';
import { type Estimate, estimateTraining } from './estimate.ts';
import { machineSpeed } from './speed.ts';

export interface ForecastOptions
  extends Pick<TrainingOptions, 'preset' | 'recipe' | 'set' | 'memory'>,
    Pick<EngineOptions, 'device' | 'threads'> {
  readonly stages?: readonly StageName[] | undefined;
  /** `compact` for a run that trains its CLIP on captions (the default here), or the folder or hub name of another. */
  readonly clip?: string | undefined;
  /** Speed of the machine relative to the reference; measured by default, which takes a second. */
  readonly speed?: number | undefined;
}

/**
 * Parameters, arithmetic, memory and projected time of each stage. Nothing is trained and no picture is read.
 * @throws UserError for unknown settings, a folder that holds no CLIP, or if a stage does not fit into the memory.
 */
export async function estimate(options: ForecastOptions = {}): Promise<Estimate> {
  const { clip = 'compact', memory, device, threads } = options;
  const recipe = recipeOf(options);
  const engine = { ...(device !== undefined && { device }), ...(threads !== undefined && { threads }) };
  const speed = options.speed ?? (await machineSpeed(engine));
  const stages = options.stages ?? [
    ...(clip === 'compact' ? (['clip'] as const) : []),
    'tokenizer',
    'diffusion',
    ...(recipe.finetune.steps > 0 ? (['finetune'] as const) : []),
  ];
  const conditionDim = clip === 'compact' ? recipe.clip.dim : lookAtClip(clip).dim;
  return estimateTraining(recipe, { stages, speed, conditionDim, memory });
}
