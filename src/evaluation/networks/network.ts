/** Features of pictures by a network, for comparing sets of them. */

import type { RgbImage } from '../../data/pictures/image.ts';
import type { ClipEmbedder } from '../../embedding/embedder.ts';

/** Names of the networks whose distances have names of their own. */
export const INCEPTION = 'Inception (2015)';
export const DINOV2 = 'DINOv2 ViT-L/14';

export interface PictureFeatures {
  /** `[pictures, dim]`. */
  readonly rows: Float32Array;
  /** `[pictures, classes]`, where it names classes. */
  readonly logits?: Float32Array | undefined;
}

export interface FeatureNetwork {
  /** Its name in reports. */
  readonly name: string;
  readonly dim: number;
  features(images: readonly RgbImage[]): Promise<PictureFeatures>;
  close(): Promise<void>;
}

/** A CLIP as a network for features; the caller opens and closes it. */
export const clipNetwork = (name: string, clip: Pick<ClipEmbedder, 'dim' | 'embedImages'>): FeatureNetwork => ({
  name,
  dim: clip.dim,
  features: async (images) => ({ rows: await clip.embedImages(images) }),
  close: async () => {},
});
