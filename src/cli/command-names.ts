/** The commands of `clipvq`, in the order of its help, with the line that describes each there and in its own help. */
export const descriptions = {
  demo: 'draw faces without captions, train a tokenizer and a diffusion model on them with the shipped CLIP, and answer eight prompts',
  train: 'train a model on a folder of pictures',
  recipe: 'print a preset as a file of settings with comments, for train --recipe',
  generate: 'make pictures for prompts',
  interpolate: 'draw pictures on the way from one prompt or picture to another',
  studio: 'make pictures, train and watch in a browser, on this machine',
  reconstruct: 'encode pictures into codes and decode them again',
  evaluate: 'measure reconstruction and how well pictures follow prompts',
  tune: 'find the guidance, truncation and steps under which pictures follow prompts best, and write them into the run',
  data: 'look at pictures before training on them, or draw the built-in faces',
  export: 'export a trained model: as a folder, as a web page that draws in the browser, or as ONNX files',
  convert: 'convert PyTorch checkpoints of the reference program into a model directory, or back',
  bench: 'time steps on this machine, and compare: PyTorch, devices, ranks, samplers, CLIPs',
  runs: 'list runs with how far they are, or compare the curves and settings of two',
  doctor: 'print what this machine has and lacks: Node, cores, memory, disk, GPU, caches, hub, MPI',
  fashion:
    'train on Fashion-MNIST without captions, and measure by a classifier how often pictures show the class of their prompt',
} as const;

export type CommandName = keyof typeof descriptions;

export const commandNames = Object.keys(descriptions) as readonly CommandName[];
