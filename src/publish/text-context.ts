/** How long the texts of a CLIP may be. */

import path from 'node:path';
import { recordIn } from '../base/record.ts';
import { readText } from '../files/regular-file.ts';

/** Tokens that a text of the CLIP in a folder has, padding included; undefined if its settings do not say. */
export function contextOf(folder: string): number | undefined {
  const config: unknown = JSON.parse(readText(path.join(folder, 'config.json')));
  const most = recordIn(recordIn(config, 'text_config'), 'max_position_embeddings');
  return typeof most === 'number' ? most : undefined;
}
