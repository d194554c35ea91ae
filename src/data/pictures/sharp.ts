/**
 * The package sharp, loaded with the first picture: its native library takes a tenth of a second, which commands that
 * touch no picture do not spend.
 */

import { createRequire } from 'node:module';
import type sharpPackage from 'sharp';
import type { Sharp, SharpInput, SharpOptions } from 'sharp';

const load = createRequire(import.meta.url);

/** A picture that operations can be called on; as the package's own function. */
export function sharp(input: SharpInput | SharpOptions, options?: SharpOptions): Sharp {
  const loaded = load('sharp') as typeof sharpPackage;
  return options === undefined ? loaded(input as SharpInput) : loaded(input as SharpInput, options);
}
