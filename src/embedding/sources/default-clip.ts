/** The CLIP that pictures without captions are learned with by default: the paper's, ViT-B/32. */
export const DEFAULT_CLIP = {
  /** On the hub. */
  name: 'Xenova/clip-vit-base-patch32',
  /** Width of its embeddings, and of those of nearly all others. */
  dim: 512,
} as const;
