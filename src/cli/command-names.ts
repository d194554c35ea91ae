/** The names of the commands: what a hint such as "clipvq train" can name. */
export const commandNames = [
  'demo',
  'train',
  'generate',
  'reconstruct',
  'evaluate',
  'data',
  'convert',
  'bench',
  'fashion',
] as const;

export type CommandName = (typeof commandNames)[number];
