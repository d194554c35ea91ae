/** The history as a wall of pictures. */

import { useEffect, useRef } from 'preact/hooks';
import type { Picture, PictureKind, StudioState } from '../../../src/studio/protocol.ts';
import { PixelPicture } from '../../shared/pixel-picture.tsx';
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
  type TileSize,
  tileSize,
  total,
} from '../gallery.ts';
import { link, openJobs } from '../store.ts';
import { counted, PICTURE_KINDS } from '../words.ts';
import { measure, tileRoom } from './tiles.ts';

const set = (part: Partial<Filter>): void => {
  filter.value = { ...filter.value, ...part };
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
        type="button"
        aria-pressed={selected.value?.id === id}
        onClick={() => {
          selected.value = selected.value?.id === id ? undefined : picture;
        }}
      >
        <PixelPicture
          src={pictureUrl(id)}
          alt={prompt}
          width={width}
          height={height}
          room={tileRoom.value}
          loading="lazy"
        />
      </button>
      {marks !== '' && <span class="marks">{marks}</span>}
    </li>
  );
}

/** Arrows go from picture to picture. */
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
}

function Empty({ state }: { readonly state: StudioState }) {
  if (filter.value !== NO_FILTER && JSON.stringify(filter.value) !== JSON.stringify(NO_FILTER))
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
      <h2>Nothing drawn yet</h2>
      <p class="hint">Write what you would like to see, or begin with one of these:</p>
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
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => measure(element.current), []);
  const isBare = isLoaded.value && pictures.value.length === 0;
  return (
    <section class="gallery" aria-label="Pictures" aria-busy={isLoading.value}>
      <div class="gallery-head">
        <h2>
          Pictures <span class="hint numbers">{isLoaded.value ? total.value : ''}</span>
        </h2>
        <Filters />
      </div>
      <div ref={element}>
        {!isLoaded.value && <p class="hint">{link.value === 'offline' ? 'Not loaded' : 'Loading the pictures …'}</p>}
        {isBare && <Empty state={state} />}
        <ul class="tiles" onKeyDown={onKeyDown} style={{ '--tile': `${tileRoom.value}px` }}>
          {pictures.value.map((picture) => (
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
