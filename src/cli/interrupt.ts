/** How a command is stopped: by Ctrl-C and other signals, or because its output has no reader any more. */

import { once } from 'node:events';
import fs from 'node:fs';
import { Interrupted } from '../base/errors.ts';
import { onBrokenStream, writeTo } from './streams.ts';

/**
 * Signals this close together are one: npm passes Ctrl-C on to a process that has received it from the terminal
 * already.
 */
const ONE_KEYSTROKE = 500;

let controller: AbortController | undefined;

/** What a second Ctrl-C prints where a stage trains. */
export const CHECKPOINT_KEPT = 'Stopped at once: the last checkpoint is kept, and the run goes on from it';

/**
 * A signal that fires on Ctrl-C, on SIGTERM, when the terminal is closed, and when an output stream breaks, so that a
 * command can leave a checkpoint. A second Ctrl-C or SIGTERM ends the process at once. Under nohup a closed terminal
 * changes nothing.
 * @param what stops, as the first Ctrl-C is answered.
 * @param atOnce what the second one prints.
 */
export function interruptSignal(what = 'Stopping after this step', atOnce = 'Stopped at once'): AbortSignal {
  if (controller) return controller.signal;
  controller = new AbortController();
  const { signal } = controller;
  let first: number | undefined;
  const stop = (why: string) => {
    if (signal.aborted) return;
    first = performance.now();
    writeTo(process.stderr, `\n${why}\n`);
    controller?.abort(new Interrupted('Stopped'));
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    const listener = () => {
      if (!signal.aborted) stop(`${what} (Ctrl-C again to stop at once)`);
      else if (first === undefined || performance.now() - first > ONE_KEYSTROKE) {
        // The default action of the signal: an orderly exit would end threads in the middle of native code, which
        // aborts.
        process.removeListener(name, listener);
        writeTo(process.stderr, `${atOnce}\n`);
        process.kill(process.pid, name);
      }
    };
    process.on(name, listener);
  }
  if (isHangupIgnored(process.env._)) process.on('SIGHUP', () => {});
  else process.on('SIGHUP', () => stop('The terminal is gone: stopping after this step'));
  onBrokenStream(() => stop('Nobody reads what is printed: stopping after this step'));
  return signal;
}

/** Resolves when a signal fires, and at once where it has fired already. */
export async function fired(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

/**
 * Whether this process was started by nohup. Node.js restores the default action of SIGHUP when it starts, so the
 * setting itself is lost; what is left are the name of the command that the shell has started, and a standard input
 * that nohup has opened for writing only.
 */
export function isHangupIgnored(startedAs: string | undefined, fdinfo = '/proc/self/fdinfo/0'): boolean {
  if (startedAs !== undefined && /(^|\/)nohup$/.test(startedAs)) return true;
  try {
    const [, flags] = /^flags:\s*([0-7]+)$/m.exec(fs.readFileSync(fdinfo, 'utf8')) ?? [];
    return flags !== undefined && (Number.parseInt(flags, 8) & 3) === 1;
  } catch {
    return false;
  }
}
