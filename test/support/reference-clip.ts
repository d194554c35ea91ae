/** Official CLIP settings as ours. */
import type { VitClipConfig } from '../reference/vit.ts';

export interface OfficialClip {
  readonly embed_dim: number;
  readonly image_resolution: number;
  readonly vision_layers: number;
  readonly vision_width: number;
  readonly vision_patch_size: number;
  readonly context_length: number;
  readonly vocab_size: number;
  readonly transformer_width: number;
  readonly transformer_heads: number;
  readonly transformer_layers: number;
}

/** Channels of a head of the image transformer, which the official program does not leave open. */
const IMAGE_HEAD = 64;

export function clipConfig(official: OfficialClip): VitClipConfig {
  return {
    dim: official.embed_dim,
    imageSize: official.image_resolution,
    patchSize: official.vision_patch_size,
    imageWidth: official.vision_width,
    imageLayers: official.vision_layers,
    imageHeads: official.vision_width / IMAGE_HEAD,
    context: official.context_length,
    vocabulary: official.vocab_size,
    textWidth: official.transformer_width,
    textLayers: official.transformer_layers,
    textHeads: official.transformer_heads,
  };
}
