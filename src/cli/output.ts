/** What the command line says: results on stdout, everything else on stderr. */

import { Interrupted, messageOf, UserError } from '../base/errors.ts';

/** One JSON document with `--json`, else readable lines. */
export function printResult(json: boolean, result: unknown, lines: () => readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${lines().join('\n')}\n`);
}

export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Report a failure in one line and choose the exit code: 2 for what the user can mend, 130 for an interruption, 1 for a fault of ours. */
export function reportFailure(error: unknown, debug: boolean): number {
  if (debug && error instanceof Error) note(error.stack ?? error.message);
  else note(error instanceof Interrupted ? messageOf(error) : `clipvq: ${messageOf(error)}`);
  if (error instanceof UserError) return 2;
  return error instanceof Interrupted ? 130 : 1;
}

/** A signal that fires on Ctrl-C; a second Ctrl-C ends the process at once. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  let asked = false;
  const stop = () => {
    if (asked) process.exit(130);
    asked = true;
    note('\nStopping after this step (Ctrl-C again to stop at once)');
    controller.abort(new Interrupted('Stopped'));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}
