/** The package that this program is part of, found by its own name: as a clone, installed, and bundled. */

import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);
const MANIFEST = 'clip-vqdiffusion/package.json';

/** Its folder, the one that holds package.json. */
export const packageRoot = (): string => path.dirname(require.resolve(MANIFEST));

/** Its version, as package.json has it. */
export const packageVersion = (): string => (require(MANIFEST) as { version: string }).version;
