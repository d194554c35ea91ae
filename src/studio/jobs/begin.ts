/** From a request to a job that waits for its turn. */

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { makeFolder, writeFileAtomic } from '../../files/atomic.ts';
import { makeRecipe } from '../../recipe/recipe.ts';
import { dataOf } from '../data/data.ts';
import type { FinishedPicture } from '../drawing/calls.ts';
import { planOf, seeded } from '../drawing/plan.ts';
import type { CheckRequest, DrawRequest, EvaluateRequest, Job, JobRequest, TrainRequest } from '../protocol.ts';
import { CHECKPOINT_EVERY } from '../runs/trainings.ts';
import { deviceWords, type Studio } from '../studio.ts';
import { drawWork } from './draw.ts';
import type { JobFacts, Work } from './jobs.ts';
import { commandWork } from './measure.ts';

/**
 * Add the job of a request.
 * @param facts of one that an earlier studio has begun.
 * @throws UserError if it cannot be done, Missing if something that it names is gone, TooMany if too many jobs wait.
 */
export function begin(studio: Studio, request: JobRequest, facts: JobFacts = {}): Job {
  switch (request.kind) {
    case 'train':
      return beginTraining(studio, request, facts);
    case 'resume':
      return goOn(studio, request.run);
    case 'evaluate':
      return beginReport(studio, request, facts);
    case 'check':
      return beginCheck(studio, request, facts);
    default:
      return beginDrawing(studio, seeded(request), facts);
  }
}

function beginDrawing(studio: Studio, request: DrawRequest, facts: JobFacts): Job {
  const { history, painter, recipe } = studio;
  const read = (id: string) => ({ file: history.file(id), prompt: history.get(id).prompt });
  // A mistake is answered at once; what is drawn is read when its turn comes.
  planOf(request, recipe, { read });
  const work = drawWork({
    painter,
    grid: () => studio.model.grid,
    plan: () => planOf(request, studio.recipe, { read }),
    onPreview: (preview) => studio.preview(preview),
    earlier: facts.pictures ?? [],
    keep: async (picture, job, earlier) => {
      if (earlier !== undefined && history.holds(earlier, picture.png)) return earlier;
      const kept = history.add(pictureFacts(studio, request, picture, job), picture.png);
      studio.events.publish({ type: 'picture', picture: kept });
      return kept.id;
    },
  });
  const whenReady: Work = {
    ...work,
    async run(job) {
      await studio.ready();
      return work.run(job);
    },
  };
  return studio.jobs.add(request, titleOf(studio, request), whenReady, facts);
}

function pictureFacts(studio: Studio, request: DrawRequest, picture: FinishedPicture, job: string) {
  const { width, height, prompt, negative, seed, settings, clipScore } = picture;
  return {
    ...{ kind: request.kind, prompt, negative, seed, settings, clipScore, width, height, job },
    model: studio.model.hash,
    bestOf: request.kind === 'create' ? (request.bestOf ?? 1) : 1,
    parents: parentsOf(request),
    strength: 'strength' in request ? request.strength : undefined,
    mask: 'mask' in request ? request.mask : undefined,
  };
}

function parentsOf(request: DrawRequest): readonly string[] {
  if (request.kind === 'create') return [];
  if (request.kind !== 'interpolate') return [request.picture];
  return [request.from, request.to].flatMap((end) => ('picture' in end ? [end.picture] : []));
}

function titleOf({ history }: Studio, request: DrawRequest): string {
  if (request.kind === 'create') return request.prompt;
  if (request.kind !== 'interpolate') return request.prompt ?? history.get(request.picture).prompt;
  const words = [request.from, request.to].map((end) =>
    'prompt' in end ? end.prompt : history.get(end.picture).prompt,
  );
  return words.join(' → ');
}

function beginTraining(studio: Studio, request: TrainRequest, facts: JobFacts): Job {
  const { preset, changes = {}, seed, minutes, maxSteps, prompts, clip } = request;
  if (minutes !== undefined && maxSteps !== undefined)
    throw new UserError('minutes and maxSteps both say how long to train: leave one of them out');
  makeRecipe(preset, changes);
  const data = dataOf(studio, request.data);
  const name = request.name ?? freeName(studio, `${data.kind === 'builtin' ? data.path : data.name}-${preset}`);
  const run = path.join(studio.options.runs, name);
  if (isTaken(studio, name)) throw new UserError(`There is a run ${name} already: choose another name, or resume it`);
  const args = [
    ...['train', '--data', data.path, '--run', run, '--preset', preset],
    ...Object.entries(changes).flatMap(([setting, value]) => ['--set', `${setting}=${value}`]),
    ...(seed === undefined ? [] : ['--seed', `${seed}`]),
    ...(minutes === undefined ? [] : ['--minutes', `${minutes}`]),
    ...(maxSteps === undefined ? [] : ['--max-steps', `${maxSteps}`]),
    ...(clip === undefined ? [] : ['--clip', clip]),
    ...['--checkpoint-every', `${CHECKPOINT_EVERY}`, '--sheets'],
    ...(prompts && prompts.length > 0
      ? [writePrompts(path.join(studio.options.folder, 'prompts', `${name}.txt`), prompts)]
      : []),
  ];
  const id = studio.runs.idOf(name);
  return studio.jobs.add(request, name, studio.trainings.work(name, args), { ...facts, run: id });
}

/** Go on with a run that has stopped; one that is at work is taken over as it is. */
export function goOn(studio: Studio, id: string): Job {
  const { jobs, runs, trainings } = studio;
  const run = runs.get(id);
  const there = jobs.list.find((job) => job.run === id && isOpen(job.state));
  if (there) return jobs.resume(there.id);
  if (run.state === 'done') throw new UserError(`${run.name} has nothing left to train`);
  return jobs.add({ kind: 'resume', run: id }, run.name, trainings.work(run.name), { run: id });
}

function beginReport(studio: Studio, request: EvaluateRequest, facts: JobFacts): Job {
  const { run, data, pictures, prompts, count, seed } = request;
  const model = run === undefined ? studio.modelFolder : studio.runs.folder(run);
  const source = data === undefined ? undefined : dataOf(studio, data);
  const name = run === undefined ? studio.model.name : studio.runs.get(run).name;
  const report = randomBytes(6).toString('hex');
  const folder = studio.reports.folder(report);
  const number = (flag: string, value: number | undefined) => (value === undefined ? [] : [flag, `${value}`]);
  const work = commandWork({
    log: studio.reports.log(report),
    args: () => [
      ...['evaluate', '--model', model, '--report', folder, '--json', ...deviceWords(studio.options.engine)],
      ...(source ? ['--data', source.path] : []),
      ...(prompts && prompts.length > 0 ? ['--prompts', writePrompts(studio.reports.prompts(report), prompts)] : []),
      ...[...number('--pictures', pictures), ...number('--count', count), ...number('--seed', seed)],
    ],
    onResult: () => {
      studio.reports.note(report, { model: name, data: source?.name ?? 'held-out pictures' });
      studio.events.publish({ type: 'reports' });
    },
  });
  return studio.jobs.add(request, name, work, { ...facts, report, ...(run !== undefined && { run }) });
}

function beginCheck(studio: Studio, request: CheckRequest, facts: JobFacts): Job {
  const data = dataOf(studio, request.data);
  if (data.kind === 'builtin') throw new UserError(`${data.name} are built in and need no check`);
  const folder = studio.checks.folder(request.data);
  const work = commandWork({
    log: `${folder}.log`,
    args: () => ['data', 'check', data.path, '--json', '--no-estimate', '--out', folder],
    onResult: (result) => {
      studio.checks.save(request.data, result);
      studio.events.publish({ type: 'data' });
    },
  });
  return studio.jobs.add(request, data.name, work, facts);
}

/** Write prompts to a file, one a line; what would be a comment there begins with a space. @returns the file. */
function writePrompts(file: string, prompts: readonly string[]): string {
  makeFolder(path.dirname(file));
  writeFileAtomic(file, prompts.map((prompt) => `${prompt.replaceAll(/\s+/g, ' ').replace(/^#/, ' #')}\n`).join(''));
  return file;
}

/** Whether a run is called so: one that is there, or that waits for its turn. */
export const isTaken = ({ options, jobs }: Studio, name: string): boolean =>
  fs.existsSync(path.join(options.runs, name)) ||
  jobs.list.some(({ kind, title, state }) => kind === 'train' && title === name && isOpen(state));

const isOpen = (state: Job['state']): boolean => ['waiting', 'running', 'paused'].includes(state);

/** A name for a run that no other has. */
function freeName(studio: Studio, wanted: string): string {
  const base =
    wanted
      .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
      .replace(/^[-_]+/, '')
      .slice(0, 50) || 'run';
  for (let i = 1; ; i++) {
    const name = i === 1 ? base : `${base}-${i}`;
    if (!isTaken(studio, name)) return name;
  }
}
