/** When the tokenizer's run changes: its phases and its temperature, as pure functions of the step. */

import type { TokenizerSettings } from '../recipe.ts';

type Settings = Pick<
  TokenizerSettings,
  'steps' | 'autoencoderFraction' | 'hardAfter' | 'temperatureStart' | 'temperatureEnd'
>;

/** `autoencoder`: no codes yet; `soft`: Gumbel-softmax; `hard`: straight-through. */
export type Phase = 'autoencoder' | 'soft' | 'hard';

/** The first step that has codes. */
export const firstQuantizedStep = ({ steps, autoencoderFraction }: Settings): number =>
  Math.round(steps * autoencoderFraction);

export function phaseAt(settings: Settings, step: number): Phase {
  if (step < firstQuantizedStep(settings)) return 'autoencoder';
  return step < Math.round(settings.steps * settings.hardAfter) ? 'soft' : 'hard';
}

/** The phases a run goes through, in order. */
export function phasesOf(settings: Settings): readonly Phase[] {
  const last = settings.steps - 1;
  return [...new Set([0, Math.min(firstQuantizedStep(settings), last), last].map((step) => phaseAt(settings, step)))];
}

/** τ: a cosine from `temperatureStart` at the first step with codes to `temperatureEnd` at the end. */
export function temperatureAt(settings: Settings, step: number): number {
  const first = firstQuantizedStep(settings);
  const progress = Math.min(1, Math.max(0, (step - first) / Math.max(1, settings.steps - first)));
  const { temperatureStart, temperatureEnd } = settings;
  return temperatureEnd + (temperatureStart - temperatureEnd) * 0.5 * (1 + Math.cos(Math.PI * progress));
}
