/** Pictures from outside: ours bring their settings back, others become the picture to go on from. */

import type { Imported } from '../../../src/studio/protocol.ts';
import { upload } from '../api.ts';
import { change, formOf, takeOver } from '../form.ts';
import { selected } from '../gallery.ts';
import { model, studio } from '../store.ts';
import { attempt, fail, say } from '../toasts.tsx';
import { bytes } from '../words.ts';

export async function bringIn([file, ...others]: readonly File[]): Promise<void> {
  const state = studio.value;
  if (!file || !state) return;
  const most = state.limits.pictureBytes;
  if (file.size > most)
    return fail(`${file.name} has ${bytes(file.size)}: pictures up to ${bytes(most)} can be brought in`);
  await attempt(async () => {
    const { picture, isOurs, notes } = await upload<Imported>('pictures/import', file);
    for (const note of notes) say(note);
    if (isOurs) {
      const whose = picture.model === model.value?.hash ? '' : ', which another model has drawn';
      takeOver(formOf(state, picture), `The settings of ${file.name}${whose} are back`);
      selected.value = picture;
    } else {
      change({ start: { id: picture.id, prompt: picture.prompt } });
      say(`${file.name} is what the next pictures go on from`);
    }
    if (others.length > 0) say('One picture at a time: the first one was taken');
  });
}
