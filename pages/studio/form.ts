/** The form of Create: what will be drawn next, kept by the browser, and what can be taken over from a picture. */

import { computed } from '@preact/signals';
import type {
  CreateRequest,
  DrawSettings,
  Picture,
  SettingFacts,
  SettingValue,
  StudioState,
  VaryRequest,
} from '../../src/studio/protocol.ts';
import { saved } from './saved.ts';
import { studio } from './store.ts';
import { say } from './toasts.tsx';

export interface Form {
  readonly prompt: string;
  readonly negative: string;
  readonly count: number;
  readonly bestOf: number;
  /** null: the server chooses one. */
  readonly seed: number | null;
  /** Those that differ from the model's own. */
  readonly settings: DrawSettings;
  /** A picture to go on from. */
  readonly start: { readonly id: string; readonly prompt: string } | null;
  readonly strength: number;
}

const EMPTY: Form = {
  prompt: '',
  negative: '',
  count: 4,
  bestOf: 1,
  seed: null,
  settings: {},
  start: null,
  strength: 0.6,
};

function revive(found: unknown): Form {
  if (typeof found !== 'object' || found === null) return EMPTY;
  const known = Object.entries(found).filter(
    ([name, value]) =>
      name in EMPTY && (name === 'seed' || name === 'start' || typeof value === typeof EMPTY[name as keyof Form]),
  );
  return { ...EMPTY, ...Object.fromEntries(known) };
}

export const form = saved('form', revive);

export const change = (part: Partial<Form>): void => {
  form.value = { ...form.value, ...part };
};

/** Changes the form in one go, and offers to undo it: nothing that was there is lost. */
export function takeOver(part: Partial<Form>, what: string): void {
  const before = form.value;
  change(part);
  say(what, () => {
    form.value = before;
  });
}

/** The value of a setting as it stands, and its own of the model. */
export const currentValue = (facts: SettingFacts, settings: DrawSettings): SettingValue =>
  settings[facts.name] ?? facts.value;

export const samplerOf = ({ settings: facts }: StudioState, settings: DrawSettings): string =>
  String(settings.sampler ?? facts.find(({ name }) => name === 'sampler')?.value ?? '');

/** Settings that the sampler uses. */
export const usedBy = (sampler: string, facts: readonly SettingFacts[]): readonly SettingFacts[] =>
  facts.filter(({ name, samplers }) => name === 'sampler' || samplers.includes(sampler));

/** Those of `settings` that this studio knows, that their sampler uses, and that are not the model's own anyway. */
export function fitting(state: StudioState, settings: DrawSettings): DrawSettings {
  const used = usedBy(samplerOf(state, settings), state.settings);
  return Object.fromEntries(
    used
      .filter(({ name, value }) => settings[name] !== undefined && settings[name] !== value)
      .map(({ name }) => [name, settings[name]!]),
  );
}

export const setSetting = (name: string, value: SettingValue): void =>
  change({ settings: { ...form.value.settings, [name]: value } });

export const resetSetting = (name: string): void =>
  change({ settings: Object.fromEntries(Object.entries(form.value.settings).filter(([other]) => other !== name)) });

/** The sampler that the form names, with the steps that it can take. */
export const chosenSampler = computed(() => {
  const state = studio.value;
  const name = state && samplerOf(state, form.value.settings);
  return state?.samplers.find((sampler) => sampler.name === name);
});

/** What the form stands for: new pictures, or such that go on from a picture. */
export function requestOf(state: StudioState, form: Form): CreateRequest | VaryRequest {
  const { prompt, negative, count, bestOf, seed, start, strength } = form;
  const drawing = {
    count,
    settings: fitting(state, form.settings),
    ...(seed !== null && { seed }),
    ...(negative.trim() !== '' && { negative: negative.trim() }),
  };
  const text = prompt.trim();
  if (!start) return { kind: 'create', prompt: text, bestOf, ...drawing };
  return { kind: 'vary', picture: start.id, strength, ...(text !== '' && { prompt: text }), ...drawing };
}

/** How a picture was drawn, as the form would have it. */
export const formOf = (state: StudioState, picture: Picture): Partial<Form> => ({
  prompt: picture.prompt,
  negative: picture.negative ?? '',
  bestOf: picture.bestOf,
  ...(picture.seed !== undefined && { seed: picture.seed, count: 1 }),
  ...(picture.settings && { settings: fitting(state, picture.settings) }),
});
