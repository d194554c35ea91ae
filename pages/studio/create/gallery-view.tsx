/** The history as a wall of pictures. */

import type { Picture, PictureKind, StudioState } from '../../../src/studio/protocol.ts';
import { MaskedPlaces, PixelPicture } from '../../shared/pixel-picture.tsx';
import { pictureUrl } from '../api.ts';
import { change } from '../form.ts';
import {
  compared,
  type Filter,
  filter,
  isCompared,
  isLoaded,
  isLoading,
  loadMore,
  NO_FILTER,
  next,
  pictures,
  selected,
  shownPictures,
  type TileSize,
  tileSize,
  total,
} from '../gallery.ts';
import { link, openJobs } from '../store.ts';
import { counted, PICTURE_KINDS } from '../words.ts';
import { showLarge } from './large.tsx';
import { tileId, tileRoom } from './tiles.ts';

const set = (part: Partial<Filter>): void => {
  const next = { ...filter.value, ...part };
  filter.value = JSON.stringify(next) === JSON.stringify(NO_FILTER) ? NO_FILTER : next;
};

function Filters() {
  const { search, rating, isKept, kind } = filter.value;
  return (
    <search class="filters">
      <input
        class="input search"
        type="search"
        aria-label="Search the pictures"
        placeholder="Search"
        value={search}
        onInput={({ currentTarget }) => set({ search: currentTarget.value })}
      />
      <button type="button" class="button" aria-pressed={isKept} onClick={() => set({ isKept: !isKept })}>
        Kept
      </button>
      <select
        aria-label="Stars at least"
        value={String(rating)}
        onChange={({ currentTarget }) => set({ rating: Number(currentTarget.value) })}
      >
        <option value="0">Any stars</option>
        {[1, 2, 3, 4, 5].map((stars) => (
          <option key={stars} value={String(stars)}>
            {'★'.repeat(stars)}
            {stars < 5 ? ' or more' : ''}
          </option>
        ))}
      </select>
      <select
        aria-label="How they were made"
        value={kind}
        onChange={({ currentTarget: { value } }) => set({ kind: kindOf(value) })}
      >
        <option value="">All kinds</option>
        {Object.entries(PICTURE_KINDS).map(([name, title]) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
      <select
        aria-label="Size of the pictures"
        value={tileSize.value}
        onChange={({ currentTarget: { value } }) => {
          tileSize.value = value as TileSize;
        }}
      >
        <option value="small">Small</option>
        <option value="middle">Middle</option>
        <option value="large">Large</option>
      </select>
    </search>
  );
}

const kindOf = (value: string): PictureKind | '' => (value in PICTURE_KINDS ? (value as PictureKind) : '');

function Tile({ picture }: { readonly picture: Picture }) {
  const { id, prompt, width, height, rating, isKept } = picture;
  const marks = [...(rating > 0 ? [`${rating}★`] : []), ...(isKept ? ['kept'] : [])].join(' ');
  return (
    <li class={`tile${isCompared(id) ? ' compared' : ''}`}>
      <button
        id={tileId(id)}
        type="button"
        aria-pressed={selected.value?.id === id}
        onClick={() => {
          if (selected.value?.id === id) showLarge();
          else selected.value = picture;
        }}
      >
        <PixelPicture
          src={pictureUrl(id)}
          alt={prompt}
          width={width}
          height={height}
          room={tileRoom.value}
          loading="lazy"
          isDraggable
        />
      </button>
      {marks !== '' && <span class="marks">{marks}</span>}
    </li>
  );
}

/** Arrows go from picture to picture, and the inspector goes along if it is open. */
function onKeyDown(event: KeyboardEvent & { readonly currentTarget: HTMLElement }): void {
  const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1 };
  const step = steps[event.key];
  if (step === undefined) return;
  const buttons = [...event.currentTarget.querySelectorAll('button')];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  const other = buttons[at + step];
  if (at < 0 || !other) return;
  event.preventDefault();
  other.focus();
  if (selected.value) selected.value = shownPictures.value.find(({ id }) => other.id === tileId(id));
}

/** Pictures of which no place is known yet, with a few holes: what drawing begins with. */
const NOTHING_YET = [5, 11, 23].map((seed) =>
  Array.from({ length: 64 }, (_, place) => ((place * 37 + seed * 13) % 17 === 0 ? '0' : '1')).join(''),
);

function Empty({ state }: { readonly state: StudioState }) {
  if (filter.value !== NO_FILTER)
    return (
      <div class="empty">
        <p>No picture fits this search.</p>
        <button
          type="button"
          class="button"
          onClick={() => {
            filter.value = NO_FILTER;
          }}
        >
          Show all
        </button>
      </div>
    );
  if (openJobs.value.length > 0) return null;
  return (
    <div class="empty">
      <div class="tiles nothing" aria-hidden="true">
        {NOTHING_YET.map((masked) => (
          <span key={masked} class="tile live" style={{ width: `${tileRoom.value}px`, height: `${tileRoom.value}px` }}>
            <MaskedPlaces masked={masked} grid={8} />
          </span>
        ))}
      </div>
      <h2>Nothing drawn yet</h2>
      <p class="hint">
        {state.model.examples.length > 0
          ? 'Write what you would like to see, or begin with one of these:'
          : 'Write what you would like to see.'}
      </p>
      <ul class="examples">
        {state.model.examples.slice(0, 6).map((example) => (
          <li key={example}>
            <button
              type="button"
              class="button"
              onClick={() => {
                change({ prompt: example });
                document.querySelector<HTMLElement>('#prompt')?.focus();
              }}
            >
              {example}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

export function Gallery({ state }: { readonly state: StudioState }) {
  const isEmpty = isLoaded.value && pictures.value.length === 0;
  const isBare = isEmpty && filter.value === NO_FILTER;
  return (
    <section class="gallery" aria-label="Pictures" aria-busy={isLoading.value}>
      <div class="gallery-head">
        <h2>
          Pictures <span class="hint numbers">{isLoaded.value ? total.value : ''}</span>
        </h2>
        {!isBare && <Filters />}
      </div>
      <div>
        {!isLoaded.value && <p class="hint">{link.value === 'offline' ? 'Not loaded' : 'Loading the pictures …'}</p>}
        {isEmpty && <Empty state={state} />}
        <ul class="tiles" onKeyDown={onKeyDown} style={{ '--tile': `${tileRoom.value}px` }}>
          {shownPictures.value.map((picture) => (
            <Tile key={picture.id} picture={picture} />
          ))}
        </ul>
        {next.value !== undefined && (
          <button type="button" class="button more" disabled={isLoading.value} onClick={() => void loadMore()}>
            Show more of {counted(total.value, 'picture')}
          </button>
        )}
      </div>
      {compared.value.length > 0 && <div class="tray-room" />}
    </section>
  );
}
