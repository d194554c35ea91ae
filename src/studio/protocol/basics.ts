/** What every address shares. */

export interface Failure {
  /** One line: what, where, what to do. */
  readonly error: string;
}

/** A date and time, ISO 8601. */
export type Time = string;
