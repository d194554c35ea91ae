/** From a picture to another one, or to a text, over as many pictures as one likes. */

import { type Signal, useSignal } from '@preact/signals';
import type { End, Picture, StudioState } from '../../../src/studio/protocol.ts';
import { PixelPicture } from '../../shared/pixel-picture.tsx';
import { pictureUrl } from '../api.ts';
import { Dialog, DialogButton } from '../dialog.tsx';
import { form } from '../form.ts';
import { compared, pictures } from '../gallery.ts';
import { into } from '../into.ts';
import { say } from '../toasts.tsx';
import { counted } from '../words.ts';
import { NumberField } from './setting.tsx';
import { draw, drawingOf } from './vary.tsx';

interface Props {
  readonly state: StudioState;
  readonly picture: Picture;
}

export function InterpolateButton({ state, picture }: Props) {
  return (
    <DialogButton label="Interpolate …">
      {(onClose) => <InterpolateDialog state={state} picture={picture} onClose={onClose} />}
    </DialogButton>
  );
}

/** Those of the comparison first, then the newest. */
function candidates({ id }: Picture): readonly Picture[] {
  const others = [...compared.value, ...pictures.value].filter((other) => other.id !== id);
  return [...new Map(others.map((other) => [other.id, other])).values()].slice(0, 24);
}

function InterpolateDialog({ state, picture, onClose }: Props & { readonly onClose: () => void }) {
  const others = candidates(picture);
  const target = useSignal<string | undefined>(others[0]?.id);
  const words = useSignal('');
  const frames = useSignal(8);
  const start = async () => {
    const to = endOf(target.value, words.value);
    if (!to) return say('Choose the picture to go to, or write a text');
    const isStarted = await draw(
      {
        kind: 'interpolate',
        from: { picture: picture.id },
        to,
        frames: frames.value,
        ...drawingOf(state, picture),
        ...seedOf(picture),
      },
      `${counted(frames.value, 'picture')} on the way are in the queue`,
    );
    if (isStarted) onClose();
  };
  return (
    <Dialog title="Interpolate" isWide onClose={onClose}>
      <p class="hint">Pictures on the way from this one to another, all of one seed, as the CLIP sees the two.</p>
      <div class="interpolate">
        <div>
          <p class="label">From</p>
          <PixelPicture
            src={pictureUrl(picture.id)}
            alt={picture.prompt}
            width={picture.width}
            height={picture.height}
            room={128}
          />
        </div>
        <TargetChoice others={others} target={target} words={words} maxLength={state.limits.prompt} />
      </div>
      <NumberField
        id="frames"
        title="Pictures"
        hint="How many, both ends included."
        value={frames.value}
        least={2}
        most={state.limits.frames}
        sliderMost={Math.min(32, state.limits.frames)}
        step={1}
        onInput={into(frames)}
      />
      <button type="button" class="button primary" onClick={() => void start()}>
        Interpolate
      </button>
    </Dialog>
  );
}

/** What is gone to: a picture by its id, or the text; undefined where neither is there. */
function endOf(target: string | undefined, words: string): End | undefined {
  if (target !== undefined) return { picture: target };
  const prompt = words.trim();
  return prompt === '' ? undefined : { prompt };
}

/** The seed of the form, else the picture's; without either the server chooses one. */
function seedOf({ seed: own }: Picture): { readonly seed?: number } {
  const seed = form.value.seed ?? own;
  return seed === undefined ? {} : { seed };
}

interface TargetProps {
  readonly others: readonly Picture[];
  /** The id of the picture that is chosen; undefined is a text. */
  readonly target: Signal<string | undefined>;
  readonly words: Signal<string>;
  readonly maxLength: number;
}

/** A choice among other pictures, and a text. */
function TargetChoice({ others, target, words, maxLength }: TargetProps) {
  return (
    <fieldset class="targets">
      <legend class="label">To</legend>
      <ul class="choices">
        {others.map(({ id, prompt, width, height }) => (
          <li key={id}>
            <label class="choice">
              <input
                type="radio"
                name="interpolate-to"
                class="unseen"
                checked={target.value === id}
                onChange={() => into(target)(id)}
              />
              <PixelPicture src={pictureUrl(id)} alt={prompt} width={width} height={height} room={64} />
            </label>
          </li>
        ))}
      </ul>
      <label class="row">
        <input
          type="radio"
          name="interpolate-to"
          checked={target.value === undefined}
          onChange={() => into(target)(undefined)}
        />
        a text
      </label>
      {target.value === undefined && (
        <input
          class="input"
          aria-label="The text to go to"
          maxLength={maxLength}
          value={words.value}
          onInput={({ currentTarget }) => into(words)(currentTarget.value)}
        />
      )}
    </fieldset>
  );
}
