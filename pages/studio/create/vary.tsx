/** Variations of a picture, as strong as one likes. */

import { signal } from '@preact/signals';
import type { Drawing, DrawRequest, Job, Picture, StudioState } from '../../../src/studio/protocol.ts';
import { post } from '../api.ts';
import { fitting, form } from '../form.ts';
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
export const wordsOf = ({ settings, prompt }: Picture): { readonly prompt?: string } =>
  settings === undefined ? {} : { prompt };

export function Vary({ state, picture }: { readonly state: StudioState; readonly picture: Picture }) {
  const { count } = form.value;
  return (
    <div class="vary">
      <NumberField
        id="vary-strength"
        title="How different"
        hint="The share that is drawn anew: 0.3 changes details, 0.8 keeps little more than the pose."
        value={strength.value}
        least={0.05}
        most={1}
        step={0.05}
        onInput={(value) => {
          strength.value = value;
        }}
      />
      <button
        type="button"
        class="button"
        disabled={link.value !== 'online'}
        onClick={() =>
          draw(
            {
              kind: 'vary',
              picture: picture.id,
              strength: strength.value,
              count,
              ...wordsOf(picture),
              ...drawingOf(state, picture),
            },
            `${counted(count, 'variation')} in the queue`,
          )
        }
      >
        Vary
      </button>
    </div>
  );
}
