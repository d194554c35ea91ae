/**
 * The presets with what training them costs here. Costs on the reference machine follow from the graphs, which takes
 * seconds for large ones: they are kept for the next start. The speed of this machine is measured once a start.
 */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { writeFileAtomic } from '../files/atomic.ts';
import { readText } from '../files/regular-file.ts';
import { presets } from '../recipe/recipe.ts';
import { gridSize, settingSchemas } from '../recipe/schema.ts';
import { dataOf } from './data/data.ts';
import type { PresetCost } from './drawing/calls.ts';
import { aside } from './drawing/painter.ts';
import { idOf } from './ids.ts';
import type { PresetFacts, PresetList } from './protocol.ts';
import type { Studio } from './studio.ts';

const costSchema = z.object({
  parameters: z.number(),
  memoryGB: z.number(),
  stages: z.array(z.object({ stage: z.string(), steps: z.number(), seconds: z.number() })),
  secondsPerPicture: z.number(),
  range: z.tuple([z.number(), z.number()]),
});
/** By the recipe and the version that have them. */
const keptSchema = z.record(z.string(), costSchema);
type Kept = Readonly<Record<string, PresetCost>>;

const costs = new WeakMap<Studio, Promise<Kept>>();
const speeds = new WeakMap<Studio, Promise<number>>();

/** @param data the id of the pictures to learn from, whose number counts. @throws Missing if there are none. */
export async function presetList(studio: Studio, data: string | undefined): Promise<PresetList> {
  const pictures = data === undefined ? undefined : dataOf(studio, data).pictures;
  const byName = await presetCosts(studio);
  const speed = await once(speeds, studio, () => aside(studio.options.engine, (thread) => thread.call('speed', {})));
  const settings = [...settingSchemas].map(([name, schema]) => ({ name, description: schema.description ?? '' }));
  return {
    ...{ speed, settings },
    presets: Object.entries(byName).map(([name, cost]) => factsOf(name, cost, speed, pictures)),
  };
}

/** What the presets cost on the reference machine, by name: computed unless an earlier studio has kept it. */
export const presetCosts = (studio: Studio): Promise<Kept> => once(costs, studio, () => computed(studio));

/** What is computed once for a studio; a failure may be tried again. */
function once<T>(known: WeakMap<Studio, Promise<T>>, studio: Studio, compute: () => Promise<T>): Promise<T> {
  const value = known.get(studio) ?? compute();
  known.set(studio, value);
  value.catch(() => known.delete(studio));
  return value;
}

function factsOf(name: string, cost: PresetCost, speed: number, pictures = 0): PresetFacts {
  const recipe = presets[name as keyof typeof presets];
  const { parameters, memoryGB, range } = cost;
  const stages = cost.stages.map((stage) => ({ ...stage, seconds: stage.seconds / speed }));
  const reading = (pictures * cost.secondsPerPicture) / speed;
  const seconds = stages.reduce((sum, stage) => sum + stage.seconds, reading);
  return {
    ...{ name, imageSize: recipe.imageSize, grid: gridSize(recipe), codes: recipe.tokenizer.codes },
    ...{ parameters, memoryGB, stages, seconds, range: [range[0] * seconds, range[1] * seconds] },
  };
}

/** The key under which the cost of a preset is kept. */
export const costKey = (name: string, version: string): string =>
  idOf(`${version} ${JSON.stringify(presets[name as keyof typeof presets])}`);

async function computed({ options: { folder, version, engine }, closing }: Studio): Promise<Kept> {
  const file = path.join(folder, 'costs.json');
  const kept = new Map(Object.entries(read(file)));
  const names = Object.keys(presets);
  const key = (name: string) => costKey(name, version);
  const missing = names.filter((name) => !kept.has(key(name)));
  if (missing.length > 0)
    await aside(engine, async (thread) => {
      for (const name of missing) {
        closing.throwIfAborted();
        kept.set(key(name), await thread.call('cost', { preset: name }));
      }
      writeFileAtomic(
        file,
        `${JSON.stringify(Object.fromEntries(names.map((name) => [key(name), kept.get(key(name))])))}\n`,
      );
    });
  return Object.fromEntries(names.map((name) => [name, kept.get(key(name))!]));
}

function read(file: string): Kept {
  try {
    return fs.existsSync(file) ? keptSchema.parse(JSON.parse(readText(file))) : {};
  } catch {
    // Another version may have kept it: it is computed again.
    return {};
  }
}
