/**
 * Runs a session on the CPU into buffers of the caller's, without the copy of every output that ONNX Runtime for Node
 * (1.30) makes on its way out, also of those that it has just written into such buffers. For gradients that copy takes
 * as much memory as the weights (docs/performance.md).
 *
 * The first output of such a program is an empty sequence (`WriteOptions.emptySequence`). All outputs are written
 * before the first one is handed over; at the sequence the binding, which can convert nothing but tensors, fails, and
 * so copies nothing.
 */

import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { messageOf } from '../../base/errors.ts';

/** The name of the first output. No path of a program looks like it. */
export const BARRIER = 'barrier:';

/**
 * @param fetches a buffer for every output.
 * @throws what the session throws, but for the refusal that the barrier brings about.
 */
export async function runInto(
  session: InferenceSession,
  feeds: Readonly<Record<string, Tensor>>,
  fetches: Readonly<Record<string, Tensor>>,
): Promise<void> {
  try {
    await session.run(feeds, { [BARRIER]: null, ...fetches });
  } catch (error) {
    if (!/^Non tensor type is temporarily not supported/.test(messageOf(error))) throw error;
  }
}
