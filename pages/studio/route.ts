/** Where the page is, in the address behind #: `create`, `train/<run>`, `evaluate`. */

import { computed, signal } from '@preact/signals';

const read = (): string => decodeURIComponent(location.hash.replace(/^#\/?/, ''));

const hash = signal(read());
addEventListener('hashchange', () => {
  hash.value = read();
});

/** Parts of the address; the first names the view. */
export const route = computed(() => hash.value.split('/').filter((part) => part !== ''));
export const view = computed(() => route.value[0] ?? 'create');

export const addressOf = (...parts: readonly string[]): string => `#/${parts.map(encodeURIComponent).join('/')}`;
export const go = (...parts: readonly string[]): void => {
  location.hash = addressOf(...parts);
};
