/** The presets with what training them costs here; the machine is measured once. */

import { presets } from '../recipe/recipe.ts';
import { gridSize, settingSchemas } from '../recipe/schema.ts';
import { dataOf } from './data/data.ts';
import { presetCosts } from './drawing/painter.ts';
import type { PresetList } from './protocol.ts';
import type { Studio } from './studio.ts';

const known = new WeakMap<Studio, Map<number | undefined, Promise<PresetList>>>();

/** @param data the id of the pictures to learn from, whose number counts. @throws Missing if there are none. */
export function presetList(studio: Studio, data: string | undefined): Promise<PresetList> {
  const pictures = data === undefined ? undefined : dataOf(studio, data).pictures;
  const lists = known.get(studio) ?? new Map<number | undefined, Promise<PresetList>>();
  known.set(studio, lists);
  const list = lists.get(pictures) ?? measured(studio, pictures);
  lists.set(pictures, list);
  list.catch(() => lists.delete(pictures));
  return list;
}

async function measured({ options }: Studio, pictures: number | undefined): Promise<PresetList> {
  const { presets: costs, speed } = await presetCosts(options.engine, pictures);
  const settings = [...settingSchemas].map(([name, schema]) => ({ name, description: schema.description ?? '' }));
  return {
    ...{ speed, settings },
    presets: Object.entries(presets).flatMap(([name, recipe]) => {
      const cost = costs.find((one) => one.name === name);
      const { imageSize, tokenizer } = recipe;
      return cost ? [{ ...cost, imageSize, grid: gridSize(recipe), codes: tokenizer.codes }] : [];
    }),
  };
}
