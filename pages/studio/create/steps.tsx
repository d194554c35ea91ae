/** From the picture that is looked at to the one before and the one after. */

import type { Picture } from '../../../src/studio/protocol.ts';
import { selected, shownPictures } from '../gallery.ts';

const neighbour = (by: number): Picture | undefined => {
  const at = shownPictures.value.findIndex(({ id }) => id === selected.value?.id);
  return at < 0 ? undefined : shownPictures.value[at + by];
};

export function step(by: number): void {
  selected.value = neighbour(by) ?? selected.value;
}

function Step({ by, name, sign }: { readonly by: number; readonly name: string; readonly sign: string }) {
  return (
    <button type="button" class="button quiet" aria-label={name} disabled={!neighbour(by)} onClick={() => step(by)}>
      {sign}
    </button>
  );
}

export function Steps() {
  return (
    <>
      <Step by={-1} name="Previous picture" sign="←" />
      <Step by={1} name="Next picture" sign="→" />
    </>
  );
}
