/** From a control to a signal. */

import type { Signal } from '@preact/signals';

/** A handler that puts the value of a control into a signal. */
export const into =
  <T>(signal: Signal<T>) =>
  (value: T): void => {
    signal.value = value;
  };
