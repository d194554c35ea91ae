/** The picture that is looked at: what it is, what can be made of it, and its settings beside the form's. */

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Picture, StudioState } from '../../../src/studio/protocol.ts';
import { PixelPicture } from '../../shared/pixel-picture.tsx';
import { pictureUrl } from '../api.ts';
import { change } from '../form.ts';
import { changePicture, deletePicture, isCompared, selected, shownPictures, toggleCompared } from '../gallery.ts';
import { attempt, say } from '../toasts.tsx';
import { PICTURE_KINDS, when } from '../words.ts';
import { BesideNow } from './beside-now.tsx';
import { InterpolateButton } from './interpolate.tsx';
import { RepaintButton } from './repaint.tsx';
import { Vary } from './vary.tsx';

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
    <div class="row wrap">
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
          <Step by={-1} name="Previous picture" sign="←" />
          <Step by={1} name="Next picture" sign="→" />
          <button type="button" class="button quiet" onClick={close}>
            Close
          </button>
        </span>
      </div>
      <div class="large-picture">
        <PixelPicture src={pictureUrl(id)} alt={prompt} width={width} height={height} room={room} />
      </div>
      <p class="prompt-text">{prompt}</p>
      {negative !== undefined && <p class="hint">Away from: {negative}</p>}
      <Facts picture={picture} />
      <div class="row spread wrap">
        <Stars picture={picture} />
      </div>
      <Actions picture={picture} />
      {isBeside.value && <p class="hint">Keys: ← and → other pictures, K keep, 1 to 5 stars, Esc close.</p>}
      <section class="make-more" aria-label="Make more of it">
        <h3>Make more of it</h3>
        <Vary state={state} picture={picture} />
        <div class="row wrap">
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

const neighbour = (by: number): Picture | undefined => {
  const at = shownPictures.value.findIndex(({ id }) => id === selected.value?.id);
  return at < 0 ? undefined : shownPictures.value[at + by];
};

function step(by: number): void {
  selected.value = neighbour(by) ?? selected.value;
}

function Step({ by, name, sign }: { readonly by: number; readonly name: string; readonly sign: string }) {
  return (
    <button type="button" class="button quiet" aria-label={name} disabled={!neighbour(by)} onClick={() => step(by)}>
      {sign}
    </button>
  );
}

/** Closes it and gives the focus back to the picture's tile. */
function close(): void {
  const id = selected.value?.id;
  selected.value = undefined;
  document.querySelector<HTMLElement>(`#tile-${id}`)?.focus({ preventScroll: true });
}

/** What has keys of its own. */
const OWN_KEYS = 'input, textarea, select, .tiles, dialog:not(.inspector-over)';

/** Keys for the picture, unless they are meant for something else or a dialog lies over it, which closes first. */
function onKey({ key, target, defaultPrevented, ctrlKey, metaKey, altKey }: KeyboardEvent): void {
  const picture = selected.value;
  if (!picture || defaultPrevented || ctrlKey || metaKey || altKey) return;
  if (key === 'Escape') {
    if (!document.querySelector('dialog[open]')) close();
    return;
  }
  if (target instanceof Element && target.closest(OWN_KEYS)) return;
  const { id, isKept, rating } = picture;
  if (key === 'ArrowLeft') step(-1);
  else if (key === 'ArrowRight') step(1);
  else if (key === 'k') changePicture(id, { isKept: !isKept });
  else if (/^[1-5]$/.test(key)) changePicture(id, { rating: Number(key) === rating ? 0 : Number(key) });
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
