/** What lies beside the networks of a compact CLIP: configuration, tokenizer, and how pictures become pixels. */

import type { ClipSettings } from '../../recipe/schema.ts';
import type { Bpe } from './bpe.ts';
import { tokenizerFiles } from './tokenizer-files.ts';

/**
 * The weights of a compact CLIP, beside its networks: with them it is known which words it has learned, and a page can
 * carry it.
 */
export const CLIP_WEIGHTS = 'model.safetensors';

/** What these weights say of themselves. */
export const CLIP_FORMAT = 'clip-vqdiffusion clip';

/** The name of the table of places of tokens among the weights. */
export const ROWS = 'text.rows';

/** Pillow's number for Lanczos, the filter with which folders of pictures are resized too. */
const LANCZOS = 1;

/** The settings of a compact CLIP that its files hold. */
export type CompactSettings = Pick<ClipSettings, 'dim' | 'imageSize' | 'context'>;

/**
 * The JSON files of a compact CLIP by name, as they are written. Pixels are as the image tower learned them: a square
 * of the tower's size, x = byte / 127.5 − 1.
 */
export function jsonFiles({ dim, imageSize, context }: CompactSettings, bpe: Bpe): Readonly<Record<string, string>> {
  const config = {
    architectures: ['CLIPModel'],
    model_type: 'clip',
    projection_dim: dim,
    text_config: {
      model_type: 'clip_text_model',
      vocab_size: bpe.tokens.length,
      max_position_embeddings: context,
      projection_dim: dim,
    },
    vision_config: { model_type: 'clip_vision_model', image_size: imageSize, projection_dim: dim },
  };
  const preprocessor = {
    image_processor_type: 'CLIPImageProcessor',
    do_convert_rgb: true,
    do_resize: true,
    size: { width: imageSize, height: imageSize },
    resample: LANCZOS,
    do_center_crop: false,
    do_rescale: true,
    rescale_factor: RESCALE,
    do_normalize: true,
    image_mean: [MEAN, MEAN, MEAN],
    image_std: [STD, STD, STD],
  };
  const files = { 'config.json': config, 'preprocessor_config.json': preprocessor, ...tokenizerFiles(bpe, context) };
  return Object.fromEntries(
    Object.entries(files).map(([name, content]) => [name, `${JSON.stringify(content, null, 2)}\n`]),
  );
}

const RESCALE = 1 / 255;
const MEAN = 0.5;
const STD = 0.5;

/** What a byte of a picture becomes by these files, rounded to float32 after each of their steps. */
export const pixelOf = (byte: number): number => Math.fround((Math.fround(byte * RESCALE) - MEAN) / STD);
