/** The pictures of an interpolation as an animation. */

import { UserError } from '../../base/errors.ts';
import { readImage } from '../../data/pictures/files.ts';
import { machineMadeXmp } from '../../data/pictures/made-by-machine.ts';
import { encodeAnimation, INTERPOLATION } from '../../data/pictures/webp.ts';
import type { Studio } from '../studio.ts';

/** @throws Missing if the job or a picture is gone, UserError if it is no interpolation or not done. */
export async function animationOf({ jobs, history }: Studio, id: string): Promise<Buffer> {
  const { kind, state, pictures } = jobs.get(id);
  if (kind !== 'interpolate' || state !== 'done') throw new UserError('Only a finished interpolation is an animation');
  const side = history.get(pictures[0]!).width;
  const images = await Promise.all(pictures.map((picture) => readImage(history.file(picture), side)));
  return encodeAnimation(images, INTERPOLATION, machineMadeXmp('trainedAlgorithmicMedia', 'clip-vqdiffusion'));
}
