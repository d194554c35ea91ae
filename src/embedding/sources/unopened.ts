/** What the files of a CLIP say of it before it is opened: for plans and estimates, which load no network. */

import path from 'node:path';
import { recordIn } from '../../base/record.ts';
import { MOST_TEXT, readText } from '../../files/regular-file.ts';
import { hasCompactWeights } from '../compact/knowledge.ts';
import { clipName } from './clip-source.ts';
import { DEFAULT_CLIP } from './default-clip.ts';
import { fetchedBefore, type HubOptions } from './hub.ts';

/** A CLIP that is not open. */
export interface UnopenedClip {
  /** Width of its embeddings; the usual one where no file tells. */
  readonly dim: number;
  /** Whether this program has trained it: it is small, and embeds pictures fast. */
  readonly isCompact: boolean;
}

/**
 * Look at the files of a CLIP, by its folder or hub name. Nothing is fetched: of a CLIP of the hub that is not in the
 * cache only the usual width is known.
 * @throws UserError if a folder does not exist or lacks a file.
 */
export function lookAtClip(model: string, options: HubOptions = {}): UnopenedClip {
  const name = clipName(model);
  const folder = path.isAbsolute(name) ? name : fetchedBefore(name, options);
  if (folder === undefined) return { dim: DEFAULT_CLIP.dim, isCompact: false };
  return { dim: widthIn(folder) ?? DEFAULT_CLIP.dim, isCompact: hasCompactWeights(folder) };
}

/**
 * Width of the embeddings by `config.json`: that of the projections; of networks without them, as SigLIP's, that of the
 * layers of the text side.
 */
function widthIn(folder: string): number | undefined {
  const config = parsed(readText(path.join(folder, 'config.json'), MOST_TEXT));
  const text = recordIn(config, 'text_config');
  const widths = [recordIn(config, 'projection_dim'), recordIn(text, 'projection_dim'), recordIn(text, 'hidden_size')];
  return widths.find((width): width is number => typeof width === 'number' && Number.isSafeInteger(width) && width > 0);
}

/** Undefined for what is no JSON: opening the CLIP says what is wrong with it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
