/** The picture that is looked at: what it is, what can be made of it, and its settings beside the form's. */

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Picture, StudioState } from '../../../src/studio/protocol.ts';
import { PixelPicture } from '../../shared/pixel-picture.tsx';
import { pictureUrl } from '../api.ts';
import { change } from '../form.ts';
import { changePicture, deletePicture, isCompared, selected, toggleCompared } from '../gallery.ts';
import { attempt, say } from '../toasts.tsx';
import { PICTURE_KINDS, when } from '../words.ts';
import { BesideNow } from './beside-now.tsx';
import { InterpolateButton } from './interpolate.tsx';
import { close, onKey } from './keys.ts';
import { showLarge } from './large.tsx';
import { RepaintButton } from './repaint.tsx';
import { Steps } from './steps.tsx';
import { VaryButton, VaryStrength } from './vary.tsx';

/** Beside the pictures where there is room, over them where there is not. */
const roomBeside = matchMedia('(min-width: 75rem)');
const isBeside = signal(roomBeside.matches);
roomBeside.addEventListener('change', ({ matches }) => {
  isBeside.value = matches;
});

function Stars({ picture: { id, rating } }: { readonly picture: Picture }) {
  return (
    <fieldset class="stars">
      <legend class="unseen">Stars</legend>
      {[1, 2, 3, 4, 5].map((stars) => (
        <label key={stars} class={stars <= rating ? 'lit' : undefined}>
          <input
            type="radio"
            name="stars"
            class="unseen"
            checked={stars === rating}
            onChange={() => changePicture(id, { rating: stars })}
            onClick={() => stars === rating && changePicture(id, { rating: 0 })}
          />
          <span aria-hidden="true">{stars <= rating ? '★' : '☆'}</span>
          <span class="unseen">{stars === 1 ? '1 star' : `${stars} stars`}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Facts({ picture }: { readonly picture: Picture }) {
  const { kind, created, clipScore, seed, width, height } = picture;
  const facts = [
    PICTURE_KINDS[kind],
    when(created),
    `${width} × ${height} pixels`,
    ...(seed === undefined ? [] : [`seed ${seed}`]),
    ...(clipScore === undefined ? [] : [`CLIP score ${clipScore.toFixed(3)}`]),
  ];
  return <p class="hint numbers">{facts.join(' · ')}</p>;
}

function Actions({ picture }: { readonly picture: Picture }) {
  const { id, isKept, kind, job, prompt } = picture;
  return (
    <div class="actions">
      <button type="button" class="button" aria-pressed={isKept} onClick={() => changePicture(id, { isKept: !isKept })}>
        {isKept ? 'Kept' : 'Keep'}
      </button>
      <button type="button" class="button" aria-pressed={isCompared(id)} onClick={() => toggleCompared(picture)}>
        Compare
      </button>
      <a class="button" href={`${pictureUrl(id)}?download=1`} download>
        Download
      </a>
      {/* Browsers lend the clipboard to safe addresses alone: not to http on another machine. */}
      {navigator.clipboard && (
        <button type="button" class="button" onClick={() => void copy(prompt)}>
          Copy prompt
        </button>
      )}
      {kind === 'interpolate' && job !== undefined && (
        <a class="button" href={`/api/jobs/${job}/animation.webp`} download>
          Animation
        </a>
      )}
    </div>
  );
}

const KEYS = ['← and → other pictures', 'Enter large', 'V vary', 'K keep', '1 to 5 stars', 'Esc close'];

async function copy(prompt: string): Promise<void> {
  if (await attempt(() => navigator.clipboard.writeText(prompt))) say('The prompt is copied');
}

function Content({
  state,
  picture,
  room,
}: {
  readonly state: StudioState;
  readonly picture: Picture;
  readonly room: number;
}) {
  const { id, prompt, negative, width, height } = picture;
  return (
    <>
      <div class="row spread">
        <h2>Picture</h2>
        <span class="row tight">
          <Steps />
          <button type="button" class="button quiet" onClick={close}>
            Close
          </button>
        </span>
      </div>
      <button type="button" class="large-picture" aria-label="Show it large" onClick={showLarge}>
        <PixelPicture src={pictureUrl(id)} alt={prompt} width={width} height={height} room={room} isDraggable />
      </button>
      <p class="prompt-text">{prompt}</p>
      {negative !== undefined && <p class="hint">Away from: {negative}</p>}
      <Facts picture={picture} />
      <Stars picture={picture} />
      <Actions picture={picture} />
      {isBeside.value && <p class="hint">Keys: {KEYS.map((key) => key.replaceAll(' ', '\u00a0')).join(', ')}.</p>}
      <section class="make-more" aria-label="Make more of it">
        <h3>Make more of it</h3>
        <VaryStrength />
        <div class="actions">
          <VaryButton state={state} picture={picture} />
          <RepaintButton state={state} picture={picture} />
          <InterpolateButton state={state} picture={picture} />
          <button
            type="button"
            class="button"
            onClick={() => {
              change({ start: { id, prompt } });
              say('The next pictures go on from this one');
            }}
          >
            Go on from it
          </button>
        </div>
      </section>
      <BesideNow state={state} picture={picture} />
      <button type="button" class="button quiet danger" onClick={() => confirmDelete(picture)}>
        Delete this picture
      </button>
    </>
  );
}

function confirmDelete({ id, isKept }: Picture): void {
  if (!isKept || confirm('This picture is kept. Delete it all the same?')) void deletePicture(id);
}

function Modal({ state, picture }: { readonly state: StudioState; readonly picture: Picture }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const room = Math.min(384, innerWidth - 32);
  return (
    <dialog
      ref={dialog}
      class="inspector-over"
      aria-label="Picture"
      onClose={() => {
        selected.value = undefined;
      }}
    >
      <div class="inspector-inside">
        <Content state={state} picture={picture} room={room} />
      </div>
    </dialog>
  );
}

export function Inspector({ state }: { readonly state: StudioState }) {
  const picture = selected.value;
  useEffect(() => {
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  if (!picture) return null;
  if (!isBeside.value) return <Modal state={state} picture={picture} />;
  return (
    <aside class="inspector" aria-label="Picture">
      <Content state={state} picture={picture} room={344} />
    </aside>
  );
}
