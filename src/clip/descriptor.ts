/** The compact CLIP as a stage of a run: the only one that sees captions. */

import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import { hasPairs } from '../data/sources/pairs.ts';
import { openEmbedder } from '../embedding/embedder.ts';
import { identityOf } from '../recipe/identity.ts';
import type { ClipSettings } from '../recipe/schema.ts';
import { planOf, type StageDescriptor, type StagePlan } from '../stage/descriptor.ts';
import { fingerprint } from '../stage/fingerprint.ts';
import { settingsParts } from '../stage/made-from.ts';
import type { CaptionedPictures } from './batches.ts';
import { type ClipReport, reportClip } from './report.ts';
import { type ClipWords, clipStage, wordsOf } from './stage.ts';
import { stepPrograms, trainingProgram } from './step.ts';
import { clipParameters } from './towers.ts';

/** Where a run keeps the measurements of its CLIP. */
const CLIP_REPORT = 'clip-report.json';

/** Tokens of a drawn face's caption, about. */
const CAPTION_TOKENS = 16;

/** Words before any caption was read: as many as the vocabulary holds, in captions as long as those of drawn faces. */
const likelyWords = ({ vocabulary }: ClipSettings): PlannedWords => ({
  rows: new Int32Array(vocabulary),
  known: vocabulary,
  length: CAPTION_TOKENS,
});

type PlannedWords = Pick<ClipWords, 'rows' | 'known' | 'length'>;

function planWith(settings: ClipSettings, { rows, known, length }: PlannedWords): StagePlan {
  const step = { settings, parameters: clipParameters(settings, known), rows, length };
  return planOf({
    name: 'clip',
    batch: settings.batch,
    programs: (microBatches) => stepPrograms(step, microBatches),
    smaller: { state: 'clip.imageChannels or clip.vocabulary', activations: 'clip.batch or clip.imageChannels' },
  });
}

/** The CLIP's stage, for the list of stages. */
export const clipDescriptor: StageDescriptor<CaptionedPictures, ClipReport> = {
  name: 'clip',
  reportFile: CLIP_REPORT,
  isPartOf: ({ clip }) => clip === 'compact',
  learnsWith: () => [],
  refuse({ settings: { clip, data } }) {
    if (clip === 'compact' && !hasPairs(data))
      throw new UserError(
        `A compact CLIP learns from captions, which ${data} does not have: name another with ${option('clip')}, a folder or hub name`,
      );
  },
  needsWholeBatch: () => 'its loss compares all pictures of a batch with all texts of it',
  stepsOf: ({ clip }) => clip.steps,
  plan: ({ clip }) => planWith(clip, likelyWords(clip)),
  cost({ clip }) {
    const { rows, known, length } = likelyWords(clip);
    const parameters = clipParameters(clip, known);
    return {
      steps: clip.steps,
      batch: clip.batch,
      parameters,
      program: trainingProgram({ settings: clip, parameters, rows, length }),
      referenceGflops: 52,
      secondsPerParameter: 0,
    };
  },
  fingerprint({ settings: { recipe, seed } }, pairs) {
    const own = fingerprint('clip', identityOf('clip', recipe.clip), `${seed}`);
    return pairs === undefined ? own : fingerprint(own, pairs);
  },
  madeFrom: ({ settings: { recipe, seed } }) => settingsParts(recipe.clip, seed),
  open({ run, engineOptions, ranks }, pairs, identity) {
    const { recipe, seed } = run.settings;
    const settings = recipe.clip;
    const words = wordsOf(pairs, settings);
    const common = { settings, seed, pairs, words, folder: run.clipFolder, ranks, ...identity };
    return {
      plan: planWith(settings, words),
      make: (engine, microBatches) => clipStage({ ...common, engine, microBatches }),
      async report() {
        const { threads = 0 } = engineOptions;
        const trained = await openEmbedder(run.clipFolder, { threads });
        try {
          const report = await reportClip(trained, pairs);
          run.writeJson(CLIP_REPORT, report);
          return report;
        } finally {
          await trained.close();
        }
      },
    };
  },
};
