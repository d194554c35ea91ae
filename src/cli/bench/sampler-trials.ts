/** What `clipvq bench samplers` tries: a reference, and samplers at numbers of steps and ways of guidance. */

import { type Command, Option } from 'commander';
import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import type { Trial } from '../../bench/sampler-bench.ts';
import { type SamplerName, samplerNames, samplers, stepRange } from '../../diffusion/samplers/index.ts';
import type { SamplingChoice } from '../../generation/generator.ts';
import { checkSampling } from '../../recipe/recipe.ts';
import { type Recipe, samplingSchema } from '../../recipe/schema.ts';
import { settingListOption } from '../options.ts';

/** The samplers compared, by the names of their trials: each as its definition says. */
const COMPARED = new Map(
  samplerNames.flatMap((sampler): [string, Partial<SamplingChoice> & { readonly sampler: SamplerName }][] =>
    Object.entries(samplers[sampler].trials ?? {}).map(([name, own]) => [name, { sampler, ...own }]),
  ),
);
const compared = [...COMPARED.keys()];

interface Swept {
  readonly setting: keyof SamplingChoice;
  readonly flags: string;
  /** In the name of a trial, before the value. */
  readonly label: string;
}

/** Settings of guidance that can be tried at several values, by the names of their options. */
const GUIDANCE = {
  guidance: { setting: 'guidanceScale', flags: '--guidance <list>', label: '' },
  guidanceSchedule: { setting: 'guidanceSchedule', flags: '--guidance-schedule <list>', label: '' },
  guidanceFrom: { setting: 'guidanceFrom', flags: '--guidance-from <list>', label: 'from ' },
  guidanceUntil: { setting: 'guidanceUntil', flags: '--guidance-until <list>', label: 'until ' },
} as const satisfies Record<string, Swept>;

/** Each list as its option was given; `GUIDANCE` has the others' settings. */
export interface TrialOptions extends Partial<Record<keyof typeof GUIDANCE, readonly unknown[]>> {
  readonly reference: 'ancestral' | 'recipe';
  readonly steps?: readonly number[];
  readonly only?: readonly string[];
}

const STEPS = [4, 8, 12, 16, 25];

export function withTrials(command: Command): Command {
  const { shape } = samplingSchema;
  command
    .addOption(
      new Option('--reference <name>', 'what the others are compared with: ancestral with all steps, or the recipe')
        .choices(['ancestral', 'recipe'])
        .default('ancestral'),
    )
    .addOption(settingListOption('--steps <list>', shape.steps, `steps to try, by default ${STEPS.join(',')}`))
    .addOption(settingListOption('--only <list>', z.enum(compared), 'samplers to try, by default all'));
  for (const { setting, flags } of Object.values(GUIDANCE))
    command.addOption(
      settingListOption(flags, shape[setting], `values of sampling.${setting} to try, by default the recipe's`),
    );
  return command;
}

/**
 * The reference, then every sampler at every number of steps and every guidance that is named.
 * @param model its recipe, and how many codes a picture has.
 * @param onLeftOut called with what is not tried, because the sampler cannot take so many steps.
 * @throws UserError if the model has fewer steps, or guidance would end before it begins.
 */
export function trialsOf(
  options: TrialOptions,
  { recipe, tokens }: { readonly recipe: Recipe; readonly tokens: number },
  onLeftOut: (text: string) => void,
): Trial[] {
  const total = recipe.diffusion.timesteps;
  const tooMany = options.steps?.find((steps) => steps > total);
  if (tooMany !== undefined) throw new UserError(`--steps ${tooMany}: this model takes at most ${total}`);
  const allSteps = options.steps ?? STEPS.filter((steps) => steps <= total);
  const trials: Trial[] = [referenceOf(options, recipe)];
  for (const name of options.only ?? compared)
    for (const { label, guidance } of guidances(options))
      for (const steps of allSteps) {
        const trial = COMPARED.get(name)!;
        const { least, most } = stepRange(trial.sampler, { times: total, tokens });
        if (steps < least || steps > most) onLeftOut(`${name} takes ${least} to ${most} steps here: ${steps} left out`);
        else trials.push({ name: name + label, sampling: { ...trial, ...guidance, steps } });
      }
  for (const { name, sampling } of trials) checkSampling({ ...recipe.sampling, ...sampling }, name);
  return trials;
}

function referenceOf({ reference }: TrialOptions, { sampling, diffusion }: Recipe): Trial {
  if (reference === 'recipe') return { name: 'recipe', sampling: { steps: sampling.steps } };
  return { name: 'ancestral', sampling: { sampler: 'ancestral', steps: diffusion.timesteps } };
}

interface Guidance {
  /** For the name of a trial; nothing where the recipe's guidance is taken. */
  readonly label: string;
  readonly guidance: Partial<SamplingChoice>;
}

/** Every value of one setting with every value of the others. */
function guidances(options: TrialOptions): Guidance[] {
  let all: Guidance[] = [{ label: '', guidance: {} }];
  for (const [option, { setting, label: prefix }] of Object.entries(GUIDANCE)) {
    const values = options[option as keyof typeof GUIDANCE];
    if (!values) continue;
    all = all.flatMap(({ label, guidance }) =>
      values.map((value) => ({
        label: `${label || ', guidance'} ${prefix}${value}`,
        guidance: { ...guidance, [setting]: value },
      })),
    );
  }
  return all;
}
