/** Variations of a picture, as strong as one likes. */

import { signal } from '@preact/signals';
import type { Drawing, DrawRequest, Job, Picture, StudioState } from '../../../src/studio/protocol.ts';
import { post } from '../api.ts';
import { fitting, form } from '../form.ts';
import { into } from '../into.ts';
import { link } from '../store.ts';
import { attempt, say } from '../toasts.tsx';
import { counted } from '../words.ts';
import { NumberField } from './setting.tsx';

const strength = signal(0.6);

/** As the picture was drawn; as the form says where that is not known. */
export function drawingOf(state: StudioState, { settings, negative }: Picture): Drawing {
  return {
    settings: fitting(state, settings ?? form.value.settings),
    ...(negative !== undefined && { negative }),
  };
}

/** Puts a job in the queue and tells so; whether it went well. */
export const draw = (request: DrawRequest, what: string): Promise<boolean> =>
  attempt(async () => {
    const { notes } = await post<Job>('jobs', request);
    say([what, ...notes].join('. '));
  });

/** What an imported picture is called says nothing of what it shows. */
const wordsOf = ({ settings, prompt }: Picture): { readonly prompt?: string } =>
  settings === undefined ? {} : { prompt };

/** Puts variations in the queue, as many as the form says. */
export const vary = (state: StudioState, picture: Picture): Promise<boolean> => {
  const { count } = form.value;
  return draw(
    {
      kind: 'vary',
      picture: picture.id,
      strength: strength.value,
      count,
      ...wordsOf(picture),
      ...drawingOf(state, picture),
    },
    `${counted(count, 'variation')} in the queue`,
  );
};

export function VaryStrength() {
  return (
    <NumberField
      id="vary-strength"
      title="How different"
      hint="The share that is drawn anew: 0.3 changes details, 0.8 keeps little more than the pose."
      value={strength.value}
      least={0.05}
      most={1}
      step={0.05}
      onInput={into(strength)}
    />
  );
}

export function VaryButton({ state, picture }: { readonly state: StudioState; readonly picture: Picture }) {
  const isOnline = link.value === 'online';
  return (
    <button type="button" class="button" disabled={!isOnline} onClick={() => void vary(state, picture)}>
      Vary
    </button>
  );
}
