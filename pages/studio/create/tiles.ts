/** How large the tiles of pictures are: by choice, and by the room there is. */

import { computed, signal } from '@preact/signals';
import { tileIn } from '../../shared/scale.ts';
import { tileSize } from '../gallery.ts';

const GAP = 8;
const WANTED = { small: 96, middle: 192, large: 320 };
/** Two in a row on a telephone. */
const NARROW = 150;

/** Width of the place for pictures, in CSS pixels. */
const stageWidth = signal(800);

export const tileRoom = computed(() => {
  const chosen = WANTED[tileSize.value];
  const wanted = stageWidth.value < 480 && tileSize.value === 'middle' ? NARROW : chosen;
  return Math.floor(tileIn(stageWidth.value, Math.min(wanted, stageWidth.value), GAP));
});

/** The id of a tile's button, by that of its picture. */
export const tileId = (picture: string): string => `tile-${picture}`;

/** Keeps `stageWidth` up to date with an element. */
export function measure(element: HTMLElement | null): (() => void) | undefined {
  if (!element) return undefined;
  const observer = new ResizeObserver(([entry]) => {
    if (entry) stageWidth.value = Math.floor(entry.contentRect.width);
  });
  observer.observe(element);
  return () => observer.disconnect();
}
