/** Everything that can be trained on, by id: what is built in, what was uploaded, what lies under the roots. */

import type { DataEntry, DataList } from '../protocol.ts';
import { Missing } from '../refusals.ts';
import type { Places } from './places.ts';
import type { Sets } from './sets.ts';

/** Sources that are drawn; `path` is what `clipvq train --data` takes. */
const BUILT_IN: readonly (DataEntry & { readonly path: string })[] = [
  { id: 'faces', name: 'Drawn faces', kind: 'builtin', pictures: undefined, bytes: undefined, path: 'faces' },
];

export interface DataSources {
  readonly places: Places;
  readonly sets: Sets;
}

/** @throws Missing if there is none. */
export function dataOf({ places, sets }: DataSources, id: string): DataEntry & { readonly path: string } {
  const builtIn = BUILT_IN.find((one) => one.id === id);
  if (builtIn) return builtIn;
  if (sets.has(id)) return sets.get(id);
  if (places.has(id)) return places.get(id);
  throw new Missing(`There is no data ${id}: list the folders again`);
}

/** All that can be trained on: of the roots their top entries, whose folders are listed when they are opened. */
export const allData = ({ places, sets }: DataSources): DataList => ({
  builtin: BUILT_IN.map(({ path: _path, ...entry }) => entry),
  sets: sets.list(),
  roots: places.roots(),
});
