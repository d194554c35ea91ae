/**
 * The threads in which CLIPs compute, one for each that is open. To start one takes longer than to load a compact CLIP
 * in it, so the thread of one that was closed rests for a moment, in case that another is opened. It keeps no process
 * alive.
 */

import { startThread, ThreadCaller } from '../base/worker-calls.ts';
import { engineThreadsReady } from '../engine/thread-host.ts';
import type { ClipCalls } from './clip-protocol.ts';

type ClipThread = ThreadCaller<ClipCalls>;

const LABEL = 'the CLIP';
/** Milliseconds: what a thread holds of memory is given back after them. */
export const REST = 5_000;

let resting: { readonly thread: ClipThread; readonly timer: NodeJS.Timeout } | undefined;

/** The thread that rests, which does so no longer. */
function awaken(): ClipThread | undefined {
  if (!resting) return undefined;
  const { thread, timer } = resting;
  clearTimeout(timer);
  resting = undefined;
  return thread;
}

/** A thread without a CLIP. */
export async function takeClipThread(): Promise<ClipThread> {
  const rested = awaken();
  if (rested?.isOpen) return rested;
  await engineThreadsReady();
  const thread = startThread({ file: 'clip-vqdiffusion/workers/clip', label: LABEL, options: undefined });
  return new ThreadCaller<ClipCalls>(thread, LABEL);
}

/** Closes the CLIP of a thread once the calls that are under way are answered. One thread rests, others end. */
export async function giveBackClipThread(thread: ClipThread): Promise<void> {
  const isFree = await thread.call('close', {}).catch(() => false);
  if (!isFree || resting) return thread.close('answer');
  const timer = setTimeout(() => void awaken()?.close('answer'), REST).unref();
  resting = { thread, timer };
}
