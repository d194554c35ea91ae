/** What the page's forms are made of: sampling settings out of the recipe's schema, samplers out of their registry. */

import * as z from 'zod';
import { samplerNames, samplers, stepRange, usersOf } from '../diffusion/samplers/index.ts';
import { gridSize, type Recipe, samplingSchema } from '../recipe/schema.ts';
import { hintOf } from '../web/hint.ts';
import type { Limits, SamplerFacts, SettingFacts, SettingValue } from './protocol.ts';

/** What one request may ask for: characters, pictures, frames, waiting jobs, and bytes and files that are uploaded. */
export const limits: Limits = {
  ...{ prompt: 2000, pictures: 64, bestOf: 16, frames: 64, queue: 50 },
  ...{ pictureBytes: 32 * 2 ** 20, setBytes: 4 * 2 ** 30, setFiles: 200_000, seed: Number.MAX_SAFE_INTEGER - 2 ** 12 },
};

/** Those that belong to the model are no settings of a drawing. */
const { promptPrefix: _prefix, nullEmbedding: _embedding, ...shape } = samplingSchema.shape;

/** The schema of every setting of a drawing, by name. */
export const drawingSettings: Readonly<Record<string, z.ZodType>> = shape;

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
}

/** Every setting of a drawing with its kind and range; values are those of the recipe. */
export function settingFacts(recipe: Recipe): SettingFacts[] {
  return Object.entries(drawingSettings).map(([name, schema]) => {
    const json = z.toJSONSchema(schema, { io: 'output' }) as JsonSchema;
    return {
      ...{ name, title: titleOf(name), description: hintOf(schema), kind: kindOf(json) },
      choices: json.enum?.map(String),
      least: leastOf(json),
      most: name === 'steps' ? recipe.diffusion.timesteps : json.maximum,
      isAbove: json.exclusiveMinimum !== undefined && json.type !== 'integer',
      value: (recipe.sampling as Readonly<Record<string, SettingValue>>)[name]!,
      samplers: usersOf(name),
    };
  });
}

/** Every sampler, with the steps that it takes on the recipe's chain. */
export function samplerFacts(recipe: Recipe): SamplerFacts[] {
  const chain = { times: recipe.diffusion.timesteps, tokens: gridSize(recipe) ** 2 };
  return samplerNames.map((name) => ({ name, description: samplers[name].description, ...stepRange(name, chain) }));
}

function leastOf({ type, minimum, exclusiveMinimum }: JsonSchema): number | undefined {
  if (exclusiveMinimum === undefined) return minimum;
  return type === 'integer' ? exclusiveMinimum + 1 : exclusiveMinimum;
}

function kindOf({ type, enum: choices }: JsonSchema): SettingFacts['kind'] {
  if (choices) return 'choice';
  if (type === 'integer') return 'whole';
  if (type === 'boolean') return 'flag';
  return type === 'number' ? 'number' : 'text';
}

/** `guidanceFrom` for people: Guidance from. */
function titleOf(name: string): string {
  if (name === 'guidanceScale') return 'Guidance';
  const words = name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words[0]!.toUpperCase() + words.slice(1);
}
