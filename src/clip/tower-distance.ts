/**
 * A perceptual distance in the compact CLIP's features: how far apart two pictures are in the first features of its
 * image tower. It has LPIPS's form, needs no weights that would have to be downloaded, and its features are learned
 * from the kind of pictures that the run has.
 */

import { createHash } from 'node:crypto';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import type { NDArray } from '../base/ndarray.ts';
import { bytesOf } from '../base/ndarray.ts';
import { unflatten } from '../base/tree.ts';
import { readSafetensors } from '../checkpoint/safetensors.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { literals } from '../nn/parameters.ts';
import { type ImageTower, imageFeatures } from './towers.ts';

/** Features beyond the second level tell what is there, hardly where: reconstructions learned with them are blurred. */
const LEVELS = 2;

/** A perceptual distance through an image tower. */
export interface TowerDistance {
  /** SHA-256 of the tower's weights, hex. */
  readonly id: string;
  between(x: Tensor, y: Tensor): Tensor;
}

/**
 * The distance through the tower of a folder.
 * @throws UserError if the folder does not hold the weights of a compact CLIP.
 */
export function openTowerDistance(folder: string): TowerDistance {
  const file = path.join(folder, 'model.safetensors');
  const { tensors } = readSafetensors(file);
  const image = Object.entries(tensors).filter(([name]) => name.startsWith('image.'));
  if (image.length === 0) throw new UserError(`${file} holds no image tower of a compact CLIP`);
  const hash = createHash('sha256');
  for (const [name, { data }] of image) hash.update(name).update(bytesOf(data));
  const arrays = unflatten(Object.fromEntries(image.map(([name, array]) => [name.slice('image.'.length), array])));
  return towerDistance(arrays as ImageTower<NDArray>, hash.digest('hex'));
}

/**
 * d(x, y) = Σ_levels mean over pictures and positions of ‖f/‖f‖ − h/‖h‖‖², for pictures [batch, 3, side, side] in
 * [-1, 1].
 */
export function towerDistance(weights: ImageTower<NDArray>, id: string): TowerDistance {
  const features = (images: Tensor) => imageFeatures(literals(weights), images).slice(0, LEVELS);
  return {
    id,
    between: (x, y) => {
      const theirs = features(y);
      const parts = features(x).map((f, level) => {
        const difference = g.sub(g.stopGradient(direction(f)), direction(theirs[level]!));
        return g.mean(g.sum(g.square(difference), 1));
      });
      return parts.reduce((a, b) => g.add(a, b));
    },
  };
}

/** Each position's features at unit length. */
const direction = (f: Tensor): Tensor => g.div(f, g.sqrt(g.add(g.sum(g.square(f), 1, true), 1e-6)));
