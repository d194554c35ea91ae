/** The settings of a run of seconds, as the command line takes them. */

/** Small, but through every phase: an autoencoder first, codes then, seen through the CLIP. */
const TINY = {
  imageSize: 16,
  images: 24,
  'clip.imageSize': 16,
  'clip.dim': 16,
  'clip.textWidth': 16,
  'clip.textHidden': 16,
  'clip.pairs': 60,
  'clip.steps': 2,
  'clip.batch': 8,
  'clip.imageChannels': 8,
  'clip.vocabulary': 400,
  'tokenizer.steps': 3,
  'tokenizer.batch': 2,
  'tokenizer.channels': 8,
  'tokenizer.codes': 16,
  'diffusion.steps': 3,
  'diffusion.batch': 2,
  'diffusion.layers': 1,
  'diffusion.dim': 32,
  'diffusion.heads': 2,
  'sampling.steps': 4,
};

/** `--set` for each of them, with what differs here. */
export const tinyFlags = (changes: Readonly<Record<string, string | number>> = {}): string[] =>
  Object.entries({ ...TINY, ...changes }).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
