/** How programs name what the engine keeps between runs. */

/**
 * Inputs and outputs under this name are state: the worker keeps them between runs, shared by all programs of an
 * engine. A program that returns `state.x` replaces what the next run reads as `state.x`.
 */
export const STATE = 'state';

/** Whether an input or output is state. */
export const isState = (name: string): boolean => name.startsWith(`${STATE}.`);

/** The full path of a part of the state; all of it under the empty path. */
export const statePath = (path: string): string => (path === '' ? STATE : `${STATE}.${path}`);

const CUT = 'cut:';
/** The name of a value that passes from a core to its fused update. */
export const cutName = (number: number): string => `${CUT}${number}`;
/** Whether a name is that of a value between a core and its fused update. */
export const isCut = (name: string): boolean => name.startsWith(CUT);

/** ONNX requires the names of inputs and outputs apart, while `state.x` is both. */
export const outputName = (path: string): string => `next:${path}`;
