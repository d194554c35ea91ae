/** A mistake the user can mend: one line that says what, where and what to do. The command line exits with code 2 on it. */
export class UserError extends Error {
  override readonly name = 'UserError';
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
