/** Every stage of a run, in order, and what each may see: the one list that commands, plans, estimates and training go by. */

import { clipDescriptor } from '../clip/descriptor.ts';
import { diffusionDescriptor, finetuneDescriptor } from '../diffusion/descriptor.ts';
import type { RunSettings, StageContext } from '../stage/context.ts';
import type { OpenStage, StageDescriptor } from '../stage/descriptor.ts';
import { tokenizerDescriptor } from '../vqgan/descriptor.ts';
import type { DataKinds, StageData } from './data.ts';

/** A stage with its way to what it learns from. */
export interface RegisteredStage<Report = unknown> extends Omit<StageDescriptor<never, Report>, 'open'> {
  readonly sees: keyof DataKinds;
  dataId(data: StageData): Promise<string | undefined>;
  open(context: StageContext, data: StageData, fingerprint: string): Promise<OpenStage<Report>>;
}

const seeing = <Kind extends keyof DataKinds, Report>(
  kind: Kind,
  descriptor: StageDescriptor<DataKinds[Kind], Report>,
): RegisteredStage<Report> => ({
  ...descriptor,
  sees: kind,
  dataId: (data) => data[kind].identity(),
  open: async (context, data, fingerprint) => descriptor.open(context, await data[kind].open(), fingerprint),
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
