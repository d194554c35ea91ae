/**
 * A mistake the user can mend: one line that says what, where and what to do. The command line exits with code 2 on it.
 */
export class UserError extends Error {
  override readonly name = 'UserError';
}

/** Thrown when work was stopped by a signal. What a training run has done until then is in its checkpoint. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What an action returns, or undefined where it throws a UserError. @throws anything else that it throws. */
export function unlessRefused<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
