/** The commands of `clipvq`, in the order of its help, with the line that describes each there and in its own help. */
export const descriptions = {
  demo: 'draw faces, train all three stages on them, and answer eight prompts',
  train: 'train a model on a folder of pictures',
  generate: 'make pictures for prompts',
  reconstruct: 'encode pictures into codes and decode them again',
  evaluate: 'measure reconstruction and how well pictures follow prompts',
  data: 'look at pictures before training on them, or draw the built-in faces',
  export: 'copy what generates out of a run: weights, recipe and CLIP, without pictures, caches and private paths',
  convert: 'turn PyTorch checkpoints of the reference into a model directory, or a model directory into one',
  bench: 'time one step, or compare with PyTorch',
  fashion: 'train on Fashion-MNIST without captions, and let a classifier say what prompts give',
} as const;

export type CommandName = keyof typeof descriptions;

export const commandNames = Object.keys(descriptions) as readonly CommandName[];
