/** The commands of `clipvq`, each in a module of its own that is loaded when the command is called. */

import type { Command } from 'commander';
import type { CommandName } from './command-names.ts';

/** A command that is not loaded yet. */
export interface CommandEntry {
  readonly name: CommandName;
  /** One line for the list of commands; the same as the command's own description. */
  readonly description: string;
  readonly load: () => Promise<Command>;
}

export const commands: readonly CommandEntry[] = [
  {
    name: 'demo',
    description: 'draw faces, train all three stages on them, and answer eight prompts',
    load: async () => (await import('./demo.ts')).demoCommand(),
  },
  {
    name: 'train',
    description: 'train a model on a folder of pictures',
    load: async () => (await import('./train.ts')).trainCommand(),
  },
  {
    name: 'generate',
    description: 'make pictures for prompts',
    load: async () => (await import('./generate.ts')).generateCommand(),
  },
  {
    name: 'reconstruct',
    description: 'encode pictures into codes and decode them again',
    load: async () => (await import('./reconstruct.ts')).reconstructCommand(),
  },
  {
    name: 'evaluate',
    description: 'measure reconstruction and how well pictures follow prompts',
    load: async () => (await import('./evaluate.ts')).evaluateCommand(),
  },
  {
    name: 'data',
    description: 'look at pictures before training on them, or draw the built-in faces',
    load: async () => (await import('./data.ts')).dataCommand(),
  },
  {
    name: 'convert',
    description: 'turn PyTorch checkpoints of the reference into a model directory, or a model directory into one',
    load: async () => (await import('./convert.ts')).convertCommand(),
  },
  {
    name: 'bench',
    description: 'time one step, or compare with PyTorch',
    load: async () => (await import('./bench/index.ts')).benchCommand(),
  },
  {
    name: 'fashion',
    description: 'train on Fashion-MNIST without captions, and let a classifier say what prompts give',
    load: async () => (await import('./fashion.ts')).fashionCommand(),
  },
];
