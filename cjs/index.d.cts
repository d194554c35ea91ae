import type * as door from '../dist/index.js' with { 'resolution-mode': 'import' };

export type * from '../dist/index.js' with { 'resolution-mode': 'import' };

export type Generator = door.Generator;
export const Generator: { load: typeof door.Generator.load };
export const Interrupted: typeof door.Interrupted;
export type Interrupted = door.Interrupted;
export const UserError: typeof door.UserError;
export type UserError = door.UserError;
export const estimate: typeof door.estimate;
/** As of modules, but asynchronous. */
export function makeRecipe(...args: Parameters<typeof door.makeRecipe>): Promise<door.Recipe>;
export const openData: typeof door.openData;
export const readImage: typeof door.readImage;
export const save: typeof door.save;
export const train: typeof door.train;
