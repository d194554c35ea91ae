/** The history of pictures, as far as it is loaded: searched, filtered, and kept up to date by events. */

import { computed, effect, signal } from '@preact/signals';
import type { Picture, PictureChange, PictureKind, PictureList } from '../../src/studio/protocol.ts';
import { get, post, remove } from './api.ts';
import { oneOf, saved } from './saved.ts';
import { link, onEvent } from './store.ts';
import { attempt } from './toasts.tsx';

export type TileSize = 'small' | 'middle' | 'large';

export interface Filter {
  readonly search: string;
  /** At least so many stars. */
  readonly rating: number;
  readonly isKept: boolean;
  readonly kind: PictureKind | '';
}

export const NO_FILTER: Filter = { search: '', rating: 0, isKept: false, kind: '' };
export const filter = signal<Filter>(NO_FILTER);
export const tileSize = saved('tiles', oneOf<TileSize>(['small', 'middle', 'large'], 'middle'));

export const pictures = signal<readonly Picture[]>([]);
/** As they are shown: the newest job first, and the pictures of each in the order in which they were drawn. */
export const shownPictures = computed(() => byJob(pictures.value));
export const total = signal(0);
export const next = signal<string | undefined>();
/** Undefined until the first list is there. */
export const isLoaded = signal(false);
export const isLoading = signal(false);
/** The picture that is looked at. */
export const selected = signal<Picture | undefined>();
/** Pictures put beside each other. */
export const compared = signal<readonly Picture[]>([]);

function byJob(list: readonly Picture[]): readonly Picture[] {
  const groups: Picture[][] = [];
  for (const picture of list) {
    const last = groups.at(-1);
    if (last && picture.job !== undefined && last[0]!.job === picture.job) last.unshift(picture);
    else groups.push([picture]);
  }
  return groups.flat();
}

const PAGE = 60;
const isFiltered = (): boolean => filter.value !== NO_FILTER;

function query(before?: string): string {
  const { search, rating, isKept, kind } = filter.value;
  return new URLSearchParams({
    limit: String(PAGE),
    ...(search.trim() !== '' && { search: search.trim() }),
    ...(rating > 0 && { rating: String(rating) }),
    ...(isKept && { kept: '1' }),
    ...(kind !== '' && { kind }),
    ...(before !== undefined && { before }),
  }).toString();
}

let newest = 0;

async function load(before?: string): Promise<void> {
  const request = ++newest;
  isLoading.value = true;
  await attempt(async () => {
    const list = await get<PictureList>(`pictures?${query(before)}`);
    // An answer to an older question says nothing any more.
    if (request !== newest) return;
    pictures.value = before === undefined ? list.pictures : [...pictures.value, ...list.pictures];
    total.value = list.total;
    next.value = list.next;
    isLoaded.value = true;
  });
  if (request === newest) isLoading.value = false;
}

export const loadMore = (): Promise<void> => load(next.value);

let timer: ReturnType<typeof setTimeout> | undefined;
function soon(): void {
  clearTimeout(timer);
  timer = setTimeout(() => void load(), 200);
}

const replaced = (list: readonly Picture[], picture: Picture): readonly Picture[] =>
  list.map((other) => (other.id === picture.id ? picture : other));

function withPicture(picture: Picture): void {
  compared.value = replaced(compared.value, picture);
  if (selected.value?.id === picture.id) selected.value = picture;
  if (pictures.value.some(({ id }) => id === picture.id)) pictures.value = replaced(pictures.value, picture);
  else if (isFiltered()) soon();
  else {
    pictures.value = [picture, ...pictures.value];
    total.value++;
  }
}

function withoutPicture(gone: string): void {
  const isOther = ({ id }: Picture) => id !== gone;
  if (!pictures.value.every(isOther)) total.value--;
  pictures.value = pictures.value.filter(isOther);
  compared.value = compared.value.filter(isOther);
  if (selected.value?.id === gone) selected.value = undefined;
}

/** Loads the first pictures, and again whenever the filter changes or the server comes back. */
export function startGallery(): void {
  onEvent((event) => {
    if (event.type === 'picture') withPicture(event.picture);
    else if (event.type === 'picture-gone') withoutPicture(event.id);
  });
  effect(() => {
    filter.value;
    if (link.value === 'online') soon();
  });
}

export const changePicture = (id: string, part: PictureChange): Promise<boolean> =>
  attempt(async () => withPicture(await post<Picture>(`pictures/${id}`, part)));

export const deletePicture = (id: string): Promise<boolean> =>
  attempt(async () => {
    await remove(`pictures/${id}`);
    withoutPicture(id);
  });

export const isCompared = (id: string): boolean => compared.value.some((picture) => picture.id === id);

export const toggleCompared = (picture: Picture): void => {
  compared.value = isCompared(picture.id)
    ? compared.value.filter(({ id }) => id !== picture.id)
    : [...compared.value, picture].slice(-6);
};
