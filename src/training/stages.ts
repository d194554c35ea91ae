/**
 * Every stage of a run, in order, and what each may see: the one list that commands, plans, estimates and training go
 * by.
 */

import { clipDescriptor } from '../clip/descriptor.ts';
import { diffusionDescriptor, finetuneDescriptor } from '../diffusion/descriptor.ts';
import type { RunFiles, RunSettings, StageContext } from '../stage/context.ts';
import type { OpenStage, StageDescriptor, StageIdentity } from '../stage/descriptor.ts';
import { tokenizerDescriptor } from '../vqgan/descriptor.ts';
import type { DataKinds, StageData } from './data.ts';

/** A stage with its way to what it learns from. */
export interface RegisteredStage<Report = unknown> extends Omit<StageDescriptor<never, Report>, 'open'> {
  readonly sees: keyof DataKinds;
  /** Identity of all that it is made from. */
  identity(run: RunFiles, data: StageData): Promise<StageIdentity>;
  open(context: StageContext, data: StageData, identity: StageIdentity): Promise<OpenStage<Report>>;
}

const seeing = <Kind extends keyof DataKinds, Report>(
  kind: Kind,
  descriptor: StageDescriptor<DataKinds[Kind], Report>,
): RegisteredStage<Report> => ({
  ...descriptor,
  sees: kind,
  identity: async (run, data) => ({
    fingerprint: descriptor.fingerprint(run, await data[kind].identity()),
    madeFrom: { ...descriptor.madeFrom(run), ...(await data[kind].madeFrom()) },
  }),
  open: async (context, data, identity) => descriptor.open(context, await data[kind].open(), identity),
});

export const stages = {
  clip: seeing('pairs', clipDescriptor),
  tokenizer: seeing('pictures', tokenizerDescriptor),
  diffusion: seeing('latents', diffusionDescriptor),
  finetune: seeing('latents', finetuneDescriptor),
};

export type StageName = keyof typeof stages;

/** The stages in the order in which a run trains them. */
export const stageNames = Object.keys(stages) as StageName[];

/** The stages that a run of these settings has. */
export const stagesOf = (settings: RunSettings): StageName[] =>
  stageNames.filter((name) => stages[name].isPartOf(settings));
