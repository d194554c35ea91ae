/**
 * The CLIP of drawn faces that comes with the package: trained once, for longer than a demo has
 * (`models/faces/TRAIN.md`).
 */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { option } from '../../base/options.ts';
import { packageRoot } from '../../files/own-package.ts';

/** Its name in a run's settings, wherever the package lies. */
export const SHIPPED = 'shipped';

const packageFolder = (): string => packageRoot();

/** Where it lies. @throws UserError if it is not there. */
export function shippedClip(root = packageFolder()): string {
  const folder = path.join(root, 'models', 'faces', 'clip');
  if (!fs.existsSync(path.join(folder, 'config.json')))
    throw new UserError(
      `The CLIP that is shipped is missing from ${folder}: get it back by git checkout or a new npm install, or train one with ${option('clip', 'compact')}`,
    );
  return folder;
}

/** Where the model of drawn faces lies that comes with the package. @throws UserError if it is not there. */
export function shippedModel(root = packageFolder()): string {
  const folder = path.join(root, 'models', 'faces');
  if (!fs.existsSync(path.join(folder, 'run.json')))
    throw new UserError(
      `The model that is shipped is missing from ${folder}: get it back by git checkout or a new npm install, or name another with ${option('model', '<dir>')}`,
    );
  return folder;
}
