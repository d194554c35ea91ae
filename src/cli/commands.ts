/** The commands, each in a module of its own that is loaded when the command is called. */

import type { Command } from 'commander';
import type { CommandName } from './command-names.ts';

export const loaders: Readonly<Record<CommandName, () => Promise<Command>>> = {
  demo: async () => (await import('./demo.ts')).demoCommand(),
  train: async () => (await import('./train.ts')).trainCommand(),
  recipe: async () => (await import('./recipe.ts')).recipeCommand(),
  generate: async () => (await import('./generate.ts')).generateCommand(),
  interpolate: async () => (await import('./interpolate.ts')).interpolateCommand(),
  studio: async () => (await import('./studio.ts')).studioCommand(),
  reconstruct: async () => (await import('./reconstruct.ts')).reconstructCommand(),
  evaluate: async () => (await import('./evaluate.ts')).evaluateCommand(),
  data: async () => (await import('./data.ts')).dataCommand(),
  export: async () => (await import('./export.ts')).exportCommand(),
  convert: async () => (await import('./convert.ts')).convertCommand(),
  bench: async () => (await import('./bench/index.ts')).benchCommand(),
  runs: async () => (await import('./runs.ts')).runsCommand(),
  doctor: async () => (await import('./doctor.ts')).doctorCommand(),
  fashion: async () => (await import('./fashion.ts')).fashionCommand(),
};
