/**
 * Where a stage stands: which of its checkpoints a resumed run can go on from, and whether its model is the trained
 * one.
 */

import fs from 'node:fs';
import { UserError, unlessRefused } from '../base/errors.ts';
import { option } from '../base/options.ts';
import type { RunDirectory } from '../run/directory.ts';
import { modelProvenance } from '../run/lineage.ts';
import type { RunSettings } from '../stage/context.ts';
import type { Stage } from '../stage/stage.ts';
import { type CheckpointFacts, checkpointFacts, checkpointFiles } from './loop/checkpoint.ts';

/** Enough of a stage to know whether it is done. */
export type StageIdentity = Pick<Stage, 'name' | 'steps' | 'fingerprint' | 'madeFrom'>;

/**
 * What to do with a stage that was begun with other pictures or models: go on with those of now, begin anew, or go on
 * if it is to become longer, because its models were trained further by the same command.
 */
export type OnChange = 'go-on' | 'restart' | 'follow';

/** Parts of a stage's identity that may change under it: it goes on with what is there now. */
const FLEXIBLE = ['pictures', 'schedule'];

/**
 * In what a stage differs from its checkpoint: names of parts, or undefined where the checkpoint does not say what it
 * was made from.
 */
function changesOf(stage: StageIdentity, facts: CheckpointFacts): readonly string[] | undefined {
  if (facts.fingerprint === stage.fingerprint) return [];
  const { madeFrom = {} } = stage;
  const was = facts.madeFrom;
  if (!was || !stage.madeFrom) return undefined;
  return [...new Set([...Object.keys(madeFrom), ...Object.keys(was)])].filter((name) => madeFrom[name] !== was[name]);
}

const isSmall = (changes: readonly string[] | undefined): boolean =>
  changes?.every((name) => FLEXIBLE.includes(name)) ?? false;

const WORDS: Readonly<Record<string, string>> = {
  pictures: 'the pictures',
  tokenizer: 'the tokenizer',
  clip: 'the CLIP',
  diffusion: 'the diffusion model',
  perceptual: 'the perceptual distance',
  pairs: 'the captioned pictures',
  origin: 'the weights that it started from',
  settings: 'the settings',
  schedule: 'the schedule',
  seed: 'the seed',
};

const changedText = (changes: readonly string[] | undefined): string =>
  changes ? partsText(changes.filter((name) => name !== 'schedule')) : 'what it was made from';

/** Parts of a stage's identity in words: "the pictures and the seed". */
export function partsText(parts: readonly string[]): string {
  const texts = parts.map((name) => WORDS[name] ?? name);
  return texts.length > 1 ? `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}` : (texts[0] ?? '');
}

/** What a resumed stage begins with. */
export interface Standing {
  /** Checkpoints that it can go on from, the newest first. */
  readonly candidates: readonly { readonly file: string; readonly facts: CheckpointFacts }[];
  /** Sentences about them for the user. */
  readonly notes: readonly string[];
}

/**
 * Which checkpoints a stage goes on from. Where only the pictures have changed, or models were trained further together
 * with it, it goes on; where the tokenizer, the CLIP or other models have changed otherwise, it must be chosen.
 * @throws UserError with the choice, or if none of the checkpoints can be read.
 */
export function standingOf(run: RunDirectory, stage: StageIdentity, onChange: OnChange | undefined): Standing {
  const candidates: { file: string; facts: CheckpointFacts }[] = [];
  const notes: string[] = [];
  let failure: UserError | undefined;
  for (const file of checkpointFiles(run, stage)) {
    try {
      const facts = checkpointFacts(file, stage);
      if (facts) candidates.push({ file, facts: inRange(file, facts, stage) });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      failure ??= error;
    }
  }
  const [newest] = candidates;
  if (!newest) {
    if (failure && onChange !== 'restart') throw noneSound(failure, stage.name);
    return { candidates: [], notes: failure ? [startsAgain(failure, stage.name)] : notes };
  }
  if (failure) notes.push(`${failure.message}; it goes on from the checkpoint before it, of step ${newest.facts.step}`);
  const changes = changesOf(stage, newest.facts);
  // A schedule goes on under another, whatever is to happen where models have changed.
  if (changes?.every((name) => name === 'schedule'))
    return { candidates: candidates.filter(({ facts }) => facts.fingerprint === newest.facts.fingerprint), notes };
  const what = changedText(changes);
  if (onChange === 'restart') {
    notes.push(`${stage.name}: ${what} changed since its checkpoint of step ${newest.facts.step}; it starts again`);
    return { candidates: [], notes };
  }
  const hasStepsLeft = newest.facts.step < stage.steps;
  const isFollowing = hasStepsLeft && (onChange === 'follow' || areLengthened(changes, stage, run.settings));
  if (!isSmall(changes) && !isFollowing && !(onChange === 'go-on' && hasStepsLeft))
    throw new UserError(
      `${stage.name}: ${what} changed since its checkpoint of step ${newest.facts.step}, ${hasStepsLeft ? '' : 'its last, '}which was not touched: add ${option('changed', 'restart')} to train it anew, or ${option('changed', 'go-on')}${hasStepsLeft ? '' : ` with ${option('longer', '1.5x')} and ${option('stages', stage.name)}`} to train it further on what is there now`,
    );
  if (what !== '')
    notes.push(
      `${stage.name}: ${what} changed since its checkpoint of step ${newest.facts.step}; it goes on with what is there now`,
    );
  return { candidates, notes };
}

/** What is thrown where no checkpoint of a stage can be gone on from. */
export const noneSound = ({ message }: UserError, stage: string): UserError =>
  new UserError(
    `${message}; the stage has no other checkpoint that is sound: add ${option('changed', 'restart')} to train ${stage} anew`,
  );

/** What is noted where a stage begins anew in spite of its checkpoints. */
export const startsAgain = ({ message }: UserError, stage: string): string =>
  `${message}; the stage has no other checkpoint that is sound: ${stage} starts again`;

/** Whether all that has changed was made longer together with the stage, by a command that did not come to its end. */
function areLengthened(
  changes: readonly string[] | undefined,
  stage: StageIdentity,
  { lengthened = [] }: RunSettings,
): boolean {
  const stageOf = (change: string) => (change === 'perceptual' ? 'clip' : change);
  return (
    changes !== undefined &&
    lengthened.includes(stage.name) &&
    changes.every((change) => FLEXIBLE.includes(change) || lengthened.includes(stageOf(change)))
  );
}

/** @throws UserError if the checkpoint is of a step that the stage does not have. */
function inRange(file: string, facts: CheckpointFacts, stage: StageIdentity): CheckpointFacts {
  if (facts.fingerprint === stage.fingerprint && facts.step > stage.steps)
    throw new UserError(`${file} is damaged: it says that it is of step ${facts.step} of ${stage.steps}`);
  return facts;
}

/**
 * Whether a stage has nothing left to do: its checkpoint is at `end`, from the same settings and models, and its model
 * is the one of that checkpoint. A finished stage stays finished when pictures are added or taken away.
 */
export function isDone(run: RunDirectory, stage: StageIdentity, end: number, onChange: OnChange | undefined): boolean {
  if (!run.hasModel(stage.name)) return false;
  const facts = soundFacts(run, stage);
  if (!facts) return false;
  const isSame = facts.fingerprint === stage.fingerprint;
  const hasEnded = isSame && facts.enough && facts.step <= end;
  if (!hasEnded && (facts.step < end || (isSame && facts.step !== end))) return false;
  const changes = changesOf(stage, facts);
  const stays = [...FLEXIBLE, 'pairs'];
  if (!changes || changes.some((name) => !stays.includes(name) || (name !== 'schedule' && onChange === 'restart')))
    return false;
  return isExported(run, stage, facts);
}

/** A sentence where a finished stage has not seen the present pictures; undefined otherwise. */
export function doneNote(run: RunDirectory, stage: StageIdentity): string | undefined {
  const facts = soundFacts(run, stage);
  const changes = facts && changesOf(stage, facts)?.filter((name) => name !== 'schedule');
  if (!changes || changes.length === 0) return undefined;
  return `${stage.name}: ${changedText(changes)} changed since it was trained; it stays as it is (${option('longer')} trains it further, ${option('changed', 'restart')} anew)`;
}

const soundFacts = (run: RunDirectory, stage: StageIdentity): CheckpointFacts | undefined =>
  unlessRefused(() => checkpointFacts(checkpointFiles(run, stage)[0], stage));

/**
 * Whether the model is that of a checkpoint. One of an earlier version does not say; it counts unless it is older than
 * the checkpoint.
 */
function isExported(run: RunDirectory, stage: StageIdentity, facts: CheckpointFacts): boolean {
  const file =
    stage.name === 'clip' ? run.file('clip', 'model.safetensors') : run.file(stage.name, 'model.safetensors');
  if (!fs.existsSync(file)) return facts.madeFrom === undefined;
  const model = modelProvenance(run, stage.name);
  if (model) return model.step === facts.step && model.fingerprint === facts.fingerprint;
  if (facts.madeFrom !== undefined) return false;
  return stage.name === 'clip' || fs.statSync(file).mtimeMs >= fs.statSync(checkpointFiles(run, stage)[0]).mtimeMs;
}
