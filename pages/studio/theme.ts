/** Light or dark: as the system has it, or by choice. */

import { effect } from '@preact/signals';
import { oneOf, saved } from './saved.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export const theme = saved('theme', oneOf<(typeof THEMES)[number]>(THEMES, 'system'));

effect(() => {
  const { dataset } = document.documentElement;
  if (theme.value === 'system') delete dataset.theme;
  else dataset.theme = theme.value;
});
