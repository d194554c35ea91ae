/** Keys for the picture that is looked at. */

import type { Picture } from '../../../src/studio/protocol.ts';
import { changePicture, selected } from '../gallery.ts';
import { link, studio } from '../store.ts';
import { showLarge } from './large.tsx';
import { step } from './steps.tsx';
import { tileId } from './tiles.ts';
import { vary } from './vary.tsx';

/** What letters and arrows belong to. */
const TYPED = 'input, textarea, select, dialog:not(.inspector-over, .large)';

/** Closes it and gives the focus back to its tile. */
export function close(): void {
  const { id = '' } = selected.value ?? {};
  selected.value = undefined;
  document.getElementById(tileId(id))?.focus({ preventScroll: true });
}

const ACTIONS: Readonly<Record<string, (picture: Picture) => unknown>> = {
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  Enter: showLarge,
  k: ({ id, isKept }) => changePicture(id, { isKept: !isKept }),
  v: (picture) => studio.value && link.value === 'online' && vary(studio.value, picture),
};

/** Does what the key stands for, unless it is meant for something else or a dialog lies over the picture. */
export function onKey({ key, target, defaultPrevented, ctrlKey, metaKey, altKey, repeat }: KeyboardEvent): void {
  const picture = selected.value;
  if (!picture || defaultPrevented || ctrlKey || metaKey || altKey) return;
  if (key === 'Escape') {
    // A dialog closes first.
    if (!document.querySelector('dialog[open]')) close();
    return;
  }
  const isWithin = (selector: string) => target instanceof Element && target.closest(selector) !== null;
  const isArrow = key.startsWith('Arrow');
  // The tiles have arrows of their own, and Enter presses what has the focus.
  const isTaken = (isArrow && isWithin('.tiles')) || (key === 'Enter' && isWithin('button, a, summary'));
  if (isTaken || isWithin(TYPED) || (repeat && !isArrow)) return;
  if (/^[1-5]$/.test(key)) rate(picture, Number(key));
  else ACTIONS[key]?.(picture);
}

/** As many stars as it has already are taken away. */
const rate = ({ id, rating }: Picture, stars: number): void =>
  void changePicture(id, { rating: stars === rating ? 0 : stars });
