/** Short messages at the foot of the page: what went wrong, and what can be undone. */

import { signal } from '@preact/signals';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly isError: boolean;
  readonly undo: (() => void) | undefined;
}

const toasts = signal<readonly Toast[]>([]);
let last = 0;

const close = (id: number): void => {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
};

function show(text: string, isError: boolean, undo?: () => void): void {
  const id = ++last;
  // The newest three: more would cover the page.
  toasts.value = [...toasts.value.filter((toast) => toast.text !== text).slice(-2), { id, text, isError, undo }];
  // Errors stay until they are closed.
  if (!isError) setTimeout(() => close(id), 8000);
}

export const say = (text: string, undo?: () => void): void => show(text, false, undo);
export const fail = (error: unknown): void => show(error instanceof Error ? error.message : String(error), true);

/** Runs it and shows what it throws; whether it went well. */
export async function attempt(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    fail(error);
    return false;
  }
}

export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map(({ id, text, isError, undo }) => (
        <div key={id} class={`toast${isError ? ' error' : ''}`}>
          <p>{text}</p>
          {undo && (
            <button
              type="button"
              class="button small"
              onClick={() => {
                undo();
                close(id);
              }}
            >
              Undo
            </button>
          )}
          <button type="button" class="button quiet small" aria-label="Close this message" onClick={() => close(id)}>
            ✕
          </button>
        </div>
      ))}
    </div>
  );
}
