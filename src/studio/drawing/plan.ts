/** From a request to what is drawn in which batches. */

import { randomInt } from 'node:crypto';
import { UserError } from '../../base/errors.ts';
import { requestOf } from '../../generation/options.ts';
import { gridSize, type Recipe } from '../../recipe/schema.ts';
import type { DrawRequest, DrawSettings, End } from '../protocol.ts';
import type { Batch, DrawPlan, PlannedCondition } from './calls.ts';

/** Pictures sampled together. */
const BATCH = 16;
/** Random seeds stay short enough to be typed. */
const SEEDS = 2 ** 31;

/** What a plan needs to know of pictures of the history. */
export interface Pictures {
  /** @throws UserError if it is gone. */
  read(id: string): { readonly file: Uint8Array; readonly prompt: string };
}

/** A request with a seed. */
export const seeded = <R extends DrawRequest>(request: R): R =>
  request.seed === undefined ? { ...request, seed: randomInt(SEEDS) } : request;

/**
 * What a request draws.
 * @throws UserError where the model of this recipe cannot do that, or a picture is gone.
 */
export function planOf(request: DrawRequest, recipe: Recipe, pictures: Pictures): DrawPlan {
  const { seed = 0, negative, settings = {} } = request;
  const checked = (prompt: string, count: number) => {
    requestOf(prompt, { ...settings, count, seed, negative }, recipe);
    return { settings: settings as DrawSettings, negative };
  };
  switch (request.kind) {
    case 'create': {
      const { prompt, count = 1, bestOf = 1 } = request;
      const shared = checked(prompt, count * bestOf);
      const batches = batchesOf({ text: prompt }, seed, count, bestOf);
      return { ...shared, batches, bestOf, start: undefined };
    }
    case 'vary': {
      const { count = 1, strength, prompt } = request;
      const { file, prompt: former } = pictures.read(request.picture);
      const shared = checked(prompt ?? former, count);
      const condition = prompt === undefined ? { file, name: former } : { text: prompt };
      const start = { file, strength, mask: undefined };
      return { ...shared, batches: batchesOf(condition, seed, count, 1), bestOf: 1, start };
    }
    case 'repaint': {
      const { count = 1, strength = 1, mask } = request;
      const { file, prompt: former } = pictures.read(request.picture);
      const prompt = request.prompt ?? former;
      const shared = checked(prompt, count);
      checkMask(mask, gridSize(recipe));
      const start = { file, strength, mask };
      return { ...shared, batches: batchesOf({ text: prompt }, seed, count, 1), bestOf: 1, start };
    }
    case 'interpolate': {
      const { from, to, frames = 8 } = request;
      const ends = [endOf(from, pictures), endOf(to, pictures)] as const;
      const shared = checked('prompt' in from ? from.prompt : 'a picture', 1);
      const batches = Array.from(
        { length: frames },
        (_, i): Batch => ({
          ...{ seed, count: 1 },
          condition: { between: ends, at: i / (frames - 1) },
        }),
      );
      return { ...shared, batches, bestOf: 1, start: undefined };
    }
  }
}

/** Candidates of one picture are drawn together. */
function batchesOf(condition: PlannedCondition, seed: number, count: number, bestOf: number): Batch[] {
  const most = Math.max(1, Math.floor(BATCH / bestOf));
  return Array.from({ length: Math.ceil(count / most) }, (_, i) => ({
    condition,
    seed: seed + i * most * bestOf,
    count: Math.min(most, count - i * most) * bestOf,
  }));
}

function endOf(end: End, pictures: Pictures): PlannedCondition {
  if ('prompt' in end) return { text: end.prompt };
  const { file, prompt } = pictures.read(end.picture);
  return { file, name: prompt };
}

function checkMask(mask: string, grid: number): void {
  if (mask.length !== grid * grid)
    throw new UserError(`The mask has ${mask.length} places; this model has ${grid} x ${grid}: give one for each`);
  if (!mask.includes('1')) throw new UserError('The mask keeps all of the picture: paint what is to be drawn anew');
}
