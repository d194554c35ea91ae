import { UserError } from '../../src/base/errors.ts';

/**
 * The message with which `act` is refused, `accepted` if it is not.
 * @throws Error if the message is not on one line, or not that of a UserError: anything else that `act` throws.
 */
export function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (/[\n\r]/.test(error.message)) throw new Error(`not on one line: ${error.message}`);
    return error.message;
  }
  return 'accepted';
}
