/** Errors of ONNX Runtime, as messages that a user can act on. */

import { messageOf, UserError } from '../base/errors.ts';
import type { Device } from './executor.ts';
import { ort } from './ort/runtime.ts';

/** @param task what was tried: "compile the decoder". */
export function failureOf(error: unknown, device: Device, task: string): Error {
  const message = messageOf(error);
  if (/backend not found/i.test(message)) return new UserError(`There is no device ${device} here: ${choices()}`);
  if (/Failed to load shared library/i.test(message))
    return new UserError(`The libraries of the device ${device} are not installed: ${choices()}`);
  if (/Failed to get a WebGPU adapter/i.test(message))
    return new UserError(
      'No GPU was found for the device webgpu: install a Vulkan driver, or compute on the device cpu',
    );
  if (/allocate memory|bad_alloc|bad allocation|allocation failed|out of memory|OutOfMemory/i.test(message))
    return new UserError(
      `There is not enough memory to ${task}${needed(message)}: compute in smaller batches or with a smaller model`,
    );
  return error instanceof Error ? error : new Error(message);
}

/** The devices that this build of ONNX Runtime has, those first that need nothing else installed. */
function choices(): string {
  const devices = ort.listSupportedBackends();
  const bundled = devices.filter(({ bundled }) => bundled).map(({ name }) => name);
  const others = devices.filter(({ bundled }) => !bundled).map(({ name }) => name);
  const more = others.length > 0 ? ` (with libraries of their own also ${others.join(', ')})` : '';
  return `choose one of ${bundled.join(', ')}${more}`;
}

/** How much one request for memory wanted, where the message says so. */
function needed(message: string): string {
  const size = /requested buffer of size (\d+)/.exec(message)?.[1];
  return size === undefined ? '' : ` (${(Number(size) / 1e9).toFixed(1)} GB at once)`;
}
