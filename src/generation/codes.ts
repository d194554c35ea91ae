/** Pictures to codes and back, checked before. */

import { fromPlanar, packImages, type RgbImage } from '../data/pictures/image.ts';
import { gridSize, type Recipe } from '../recipe/schema.ts';
import type { Decoder, Encoder } from '../vqgan/codec.ts';
import { checkCodes, checkPictures } from './options.ts';

type CodesRecipe = Pick<Recipe, 'imageSize' | 'tokenizer'>;

/**
 * The most likely codes of pictures of the model's size, [images, tokens].
 * @throws UserError for pictures of another size.
 */
export async function encodePictures(
  encoder: Encoder,
  images: readonly RgbImage[],
  { imageSize }: CodesRecipe,
): Promise<Int32Array> {
  checkPictures(images, imageSize);
  return encoder.encode(packImages(images));
}

/**
 * Pictures from codes [images, tokens].
 * @throws UserError for a length that is no whole number of pictures, or a code that this model does not have.
 */
export async function decodePictures(decoder: Decoder, codes: Int32Array, recipe: CodesRecipe): Promise<RgbImage[]> {
  const { imageSize, tokenizer } = recipe;
  const tokens = gridSize(recipe) ** 2;
  checkCodes(codes, tokens, tokenizer.codes);
  return fromPlanar(await decoder.decode(codes), codes.length / tokens, imageSize, imageSize);
}
