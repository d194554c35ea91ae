/**
 * When the tokenizer's run changes: its phases, its temperature and the terms of its loss, as pure functions of the
 * step.
 */

import { warmupConstant, warmupCosine } from '../optim/schedule.ts';
import type { TokenizerSettings } from '../recipe/schema.ts';

type PhaseSettings = Pick<TokenizerSettings, 'steps' | 'autoencoderFraction' | 'hardAfter'>;
type TemperatureSettings = PhaseSettings & Pick<TokenizerSettings, 'temperatureStart' | 'temperatureEnd'>;
type KlSettings = PhaseSettings & Pick<TokenizerSettings, 'klWeight' | 'klWarmup'>;
type DiscriminatorSettings = Pick<
  TokenizerSettings,
  'steps' | 'discriminatorWeight' | 'discriminatorStart' | 'discriminatorWarmup'
>;
type RateSettings = Pick<TokenizerSettings, 'steps' | 'schedule' | 'learningRate' | 'warmupSteps'>;
type PerceptualSettings = Pick<TokenizerSettings, 'steps' | 'perceptualWeight' | 'perceptualAfter'>;

/** `autoencoder`: no codes yet; `soft`: Gumbel-softmax; `hard`: straight-through. */
export type Phase = 'autoencoder' | 'soft' | 'hard';

/**
 * `off`: no discriminator; `warmup`: it trains without affecting the tokenizer; `active`: its loss is part of the
 * tokenizer's.
 */
export type DiscriminatorPhase = 'off' | 'warmup' | 'active';

/** What a training step is made of: steps of one variant share a program. */
export interface Variant {
  readonly phase: Phase;
  readonly discriminator: DiscriminatorPhase;
  readonly perceptual: boolean;
}

/** The first step that has codes. */
export const firstQuantizedStep = ({ steps, autoencoderFraction }: PhaseSettings): number =>
  Math.round(steps * autoencoderFraction);

/** The phase of step `step`, counted from 0. */
export function phaseAt(settings: PhaseSettings, step: number): Phase {
  if (step < firstQuantizedStep(settings)) return 'autoencoder';
  return step < Math.round(settings.steps * settings.hardAfter) ? 'soft' : 'hard';
}

/**
 * The discriminator's phase, by the progress of the run and not by a number of steps that a shorter run would never
 * reach: it is active from `discriminatorStart` on, and warms up for `discriminatorWarmup` before that.
 */
export function discriminatorPhaseAt(settings: DiscriminatorSettings, step: number): DiscriminatorPhase {
  const { steps, discriminatorWeight, discriminatorStart, discriminatorWarmup } = settings;
  if (discriminatorWeight === 0) return 'off';
  const start = Math.round(steps * discriminatorStart);
  if (step >= start) return 'active';
  return step >= start - Math.round(steps * discriminatorWarmup) ? 'warmup' : 'off';
}

/** Whether the perceptual distance is part of the loss. */
export const isPerceptual = ({ steps, perceptualWeight, perceptualAfter }: PerceptualSettings, step: number): boolean =>
  perceptualWeight > 0 && step >= Math.round(steps * perceptualAfter);

/** The variant of step `step`, counted from 0. */
export const variantAt = (
  settings: PhaseSettings & DiscriminatorSettings & PerceptualSettings,
  step: number,
): Variant => ({
  phase: phaseAt(settings, step),
  discriminator: discriminatorPhaseAt(settings, step),
  perceptual: isPerceptual(settings, step),
});

/** A name for a variant. */
export const variantName = ({ phase, discriminator, perceptual }: Variant): string =>
  [phase, discriminator, perceptual ? 'perceptual' : 'plain'].join(' ');

/** The variants a run goes through, in order. */
export function variantsOf(settings: PhaseSettings & DiscriminatorSettings & PerceptualSettings): Variant[] {
  const variants = new Map<string, Variant>();
  for (let step = 0; step < settings.steps; step++) {
    const variant = variantAt(settings, step);
    variants.set(variantName(variant), variant);
  }
  return [...variants.values()];
}

/** The learning rate, of the tokenizer and of its discriminator. */
export const rateAt = (settings: RateSettings, step: number): number =>
  settings.schedule === 'constant' ? warmupConstant(settings, step) : warmupCosine(settings, step);

/** How far the part of the run that has codes has come, in [0, 1]. */
function quantizedProgress(settings: PhaseSettings, step: number): number {
  const first = firstQuantizedStep(settings);
  return Math.min(1, Math.max(0, (step - first) / Math.max(1, settings.steps - first)));
}

/** τ: a cosine from `temperatureStart` at the first step with codes to `temperatureEnd` at the end. */
export function temperatureAt(settings: TemperatureSettings, step: number): number {
  const progress = quantizedProgress(settings, step);
  const { temperatureStart, temperatureEnd } = settings;
  return temperatureEnd + (temperatureStart - temperatureEnd) * 0.5 * (1 + Math.cos(Math.PI * progress));
}

/** w_kl: a straight line from 0 to `klWeight` over `klWarmup` of the steps with codes; at once where that is 0. */
export function klWeightAt(settings: KlSettings, step: number): number {
  const { klWeight, klWarmup } = settings;
  return klWarmup === 0 ? klWeight : klWeight * Math.min(1, quantizedProgress(settings, step) / klWarmup);
}
