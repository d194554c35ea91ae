/** Imported pictures: one of this program brings its settings along, any other is something to start from. */

import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import { printable } from '../../base/text.ts';
import { readHeader } from '../../data/pictures/decode.ts';
import { readImage } from '../../data/pictures/files.ts';
import { encodePng } from '../../data/pictures/png.ts';
import { readPngText } from '../../data/pictures/read-png-text.ts';
import type { DrawSettings, Imported } from '../protocol.ts';
import { drawingSettings, limits } from '../state.ts';
import type { Studio } from '../studio.ts';
import type { NewPicture } from './history.ts';

/** Pixels of a picture, and the side that is kept of it. */
const [MOST_PIXELS, MOST_SIDE] = [50e6, 512];
const MOST_NAME = 200;

/** Texts that go on to the file that is kept. */
const OWN_TEXTS = ['Software', 'Prompt', 'Negative prompt', 'Seed', 'Settings', 'Model', 'Edit', 'parameters'];

/**
 * Take a picture into the history. Its bytes are not kept: it is decoded and encoded again.
 * @throws UserError if it is no picture, or too large.
 */
export async function importPicture(studio: Studio, name: string, bytes: Buffer): Promise<Imported> {
  if (bytes.length === 0) throw new UserError('Nothing was sent: send the bytes of a picture file');
  const header = await readHeader(bytes);
  if (typeof header === 'string') throw new UserError(`Cannot read the picture: ${header}`);
  const side = Math.max(1, Math.min(header.width, header.height, MOST_SIDE));
  const { background } = studio.recipe.pictures;
  const image = await readImage(bytes, side, { background, maxPixels: MOST_PIXELS });
  const texts = textsIn(bytes);
  const found = texts && factsIn(texts);
  const facts: NewPicture = {
    ...{ kind: 'import', job: undefined, parents: [], bestOf: 1, clipScore: undefined },
    ...{ strength: undefined, mask: undefined, width: side, height: side },
    ...(found ?? {
      prompt: cleanName(name),
      negative: undefined,
      seed: undefined,
      settings: undefined,
      model: undefined,
    }),
  };
  const kept = found ? Object.fromEntries(Object.entries(texts).filter(([key]) => OWN_TEXTS.includes(key))) : {};
  const picture = studio.history.add(facts, await encodePng(image, kept));
  studio.events.publish({ type: 'picture', picture });
  const isOther = found !== undefined && studio.model.hash !== undefined && found.model !== studio.model.hash;
  const notes = isOther ? ['Another model drew it: the same settings give another picture here'] : [];
  return { picture, isOurs: found !== undefined, notes };
}

function textsIn(bytes: Buffer): Record<string, string> | undefined {
  try {
    return readPngText(bytes);
  } catch {
    // No PNG, or one whose texts are damaged: a picture all the same.
    return undefined;
  }
}

const settingsSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

/** How a picture of this program was drawn; undefined for any other. Its text is checked like the input of a user. */
function factsIn({ Software, Prompt, Seed, Settings, Model, ...rest }: Record<string, string>) {
  const seed = Number(Seed);
  if (!Software?.startsWith('clip-vqdiffusion') || Prompt === undefined || Settings === undefined) return undefined;
  if (Prompt.length > limits.prompt || !Number.isSafeInteger(seed) || seed < 0) return undefined;
  const settings = settingsIn(Settings);
  if (!settings) return undefined;
  const negative = rest['Negative prompt']?.slice(0, limits.prompt);
  return { prompt: Prompt, negative, seed, settings, model: Model?.slice(0, 64) };
}

function settingsIn(text: string): DrawSettings | undefined {
  try {
    const given = settingsSchema.parse(JSON.parse(text));
    const known = Object.entries(given).filter(
      ([name, value]) => Object.hasOwn(drawingSettings, name) && drawingSettings[name]!.safeParse(value).success,
    );
    return Object.fromEntries(known);
  } catch {
    return undefined;
  }
}

const cleanName = (name: string): string =>
  printable(name.replace(/^.*[/\\]/, '').replace(/\.[a-z]+$/i, '')).slice(0, MOST_NAME) || 'a picture';
