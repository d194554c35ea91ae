/** Where downloads are kept, on this machine and for all runs. */

import os from 'node:os';
import path from 'node:path';

/** `clip-vqdiffusion` in the user's cache folder (`XDG_CACHE_HOME`, by default `~/.cache`). */
export const cacheFolder = (): string =>
  path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'clip-vqdiffusion');
