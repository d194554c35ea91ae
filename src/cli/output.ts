/** What the command line prints: results on stdout, everything else on stderr. */

import { Interrupted, messageOf, UserError } from '../base/errors.ts';
import { printable } from '../base/text.ts';
import { withFlags } from './flags.ts';
import { typeable } from './invocation.ts';
import { writeTo } from './streams.ts';

export { CHECKPOINT_KEPT, interruptSignal } from './interrupt.ts';
export { watchStreams } from './streams.ts';

/** One JSON document with `--json`, else readable lines. */
export function printResult(json: boolean, result: unknown, lines: () => readonly string[]): void {
  // Names and prompts come from anywhere: what they hold cannot steer the terminal.
  writeTo(
    process.stdout,
    json
      ? `${JSON.stringify(result)}\n`
      : `${lines()
          .map((line) => printable(typeable(line)))
          .join('\n')}\n`,
  );
}

/** A line for people. */
export function note(text: string): void {
  writeTo(process.stderr, `${typeable(withFlags(text))}\n`);
}

/** A failure whose result is on stdout already, also with `--json`: a report that says that nothing can be used. */
export class FailedResult extends UserError {}

/** What the options of a failing command ask for. */
export interface FailureFlags {
  readonly json: boolean;
  readonly debug: boolean;
}

/**
 * Report a failure in one line on stderr, and with `--json` also as a document `{ error, exitCode }` on stdout.
 * @returns the exit code: 2 for what the user can mend, 130 for an interruption, 1 for a fault of ours.
 */
export function reportFailure(error: unknown, flags: FailureFlags): number {
  const code = error instanceof UserError ? 2 : error instanceof Interrupted ? 130 : 1;
  if (flags.debug && error instanceof Error) note(error.stack ?? error.message);
  return printError(messageOf(error), code, { ...flags, json: flags.json && !(error instanceof FailedResult) });
}

/** The line and the document of a failure. */
export function printError(message: string, exitCode: number, { json, debug }: FailureFlags): number {
  if (!debug || exitCode === 2) note(printable(exitCode === 130 ? message : `clipvq: ${message}`));
  if (json) writeTo(process.stdout, `${JSON.stringify({ error: typeable(withFlags(message)), exitCode })}\n`);
  return exitCode;
}
