/** From pictures to a model: the stages in order, each learning from what the one before has left. */

import { UserError } from '../base/errors.ts';
import { type ClipReport, reportClip } from '../clip/report.ts';
import { clipStage, wordsOf } from '../clip/stage.ts';
import type { Rejected } from '../data/sources/containers/container.ts';
import { genericTexts } from '../data/sources/generic-texts.ts';
import { hasPairs, openPairs, type PairSource } from '../data/sources/pairs.ts';
import { loadAll } from '../data/sources/source.ts';
import type { Latents } from '../diffusion/latents.ts';
import { isValidated } from '../diffusion/learning-rate.ts';
import { transformerConfig } from '../diffusion/model.ts';
import { type DiffusionStageOptions, diffusionStage } from '../diffusion/stage.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import type { EngineOptions } from '../engine/engine.ts';
import { adopt } from '../nn/parameters.ts';
import { identityOf } from '../recipe/identity.ts';
import type { Recipe } from '../recipe/schema.ts';
import { fingerprint, type RunDirectory } from '../run/directory.ts';
import { openRunClip } from '../run/models.ts';
import { originOf, saveDiscriminator } from '../run/origin.ts';
import { hasStatistics, saveStatistics } from '../run/statistics.ts';
import type { StageName } from '../stage/stage.ts';
import { discriminatorFrom } from '../vqgan/discriminator.ts';
import type { LpipsSource } from '../vqgan/lpips-weights.ts';
import { tokenizerParameters } from '../vqgan/model.ts';
import { tokenizerStage } from '../vqgan/stage.ts';
import { type EncodedPictures, encodePictures } from './encoding.ts';
import { lpipsOf, ownEyes } from './perceptual.ts';
import { CLIP_FACES_OFFSET, type Pictures, type RunPictures, readyPictures, type Watch } from './pictures.ts';
import { clipMemory, denoiserMemory, tokenizerMemory } from './planned-stages.ts';
import { runStage } from './run-stage.ts';
import { statisticsOf } from './statistics.ts';
import { isFinished } from './trainer.ts';
import { Validation } from './validation.ts';

export interface PipelineOptions extends Watch {
  readonly run: RunDirectory;
  /** What `openPictures` found; a run of the CLIP alone needs none. */
  readonly pictures: Pictures | undefined;
  readonly stages: readonly StageName[];
  readonly engine: EngineOptions;
  /** Micro-batches that a batch is computed in, where it has so many pictures. */
  readonly accumulate?: number | undefined;
  /** Bytes that the process may hold: batches are computed in as many parts as that takes. */
  readonly memory?: number | undefined;
  readonly resume: boolean;
  readonly checkpointEvery: number;
  readonly maxSteps?: number | undefined;
  /** Where the weights of LPIPS come from, if the recipe wants them. */
  readonly lpips?: Pick<LpipsSource, 'folder' | 'offline'> | undefined;
}

/**
 * Train the stages that were asked for.
 * @returns the seconds each part took, in order, and what a CLIP that was trained now is worth.
 * @throws UserError, or Interrupted when the signal fires (training can then be resumed).
 */
export async function trainPipeline(
  options: PipelineOptions,
): Promise<{ readonly seconds: Readonly<Record<string, number>>; readonly clip: ClipReport | undefined }> {
  const pipeline = new Pipeline(options);
  const seconds: Record<string, number> = {};
  const parts: Record<StageName, () => Promise<void>> = {
    clip: () => pipeline.clip(),
    tokenizer: () => pipeline.tokenizer(),
    diffusion: () => pipeline.diffusion(),
    finetune: () => pipeline.finetune(),
  };
  try {
    for (const stage of options.stages) {
      const start = performance.now();
      await parts[stage]();
      seconds[stage] = (performance.now() - start) / 1000;
    }
    return { seconds, clip: pipeline.clipReport };
  } finally {
    pipeline.close();
  }
}

const clipIdentity = ({ clip }: Recipe, fingerprint: string) =>
  ({ name: 'clip', steps: clip.steps, fingerprint }) as const;

/** Identity of captioned pictures: their contents and first captions. */
function pairsId({ images, caption }: PairSource): string {
  return fingerprint(...Array.from({ length: images.size }, (_, i) => `${images.contentId(i)} ${caption(i, 0)}`));
}

/** What the two stages of the diffusion model differ in. */
interface DenoiserPart extends Pick<DiffusionStageOptions, 'name' | 'latents' | 'initial' | 'onExport'> {
  readonly recipe: Recipe;
  /** Identity of what it learns from. */
  readonly id: string;
}

class Pipeline {
  /** What the CLIP is worth, if it was trained now. */
  clipReport: ClipReport | undefined;
  private ready: RunPictures | undefined;
  private latents: EncodedPictures | undefined;

  constructor(private readonly options: PipelineOptions) {}

  /** The compact CLIP: the only stage that sees captions. With another CLIP there is nothing to train. */
  async clip(): Promise<void> {
    const { run, signal, display } = this.options;
    const { clip, data, seed, recipe } = run.settings;
    if (clip !== 'compact') return;
    if (!hasPairs(data))
      throw new UserError(
        `A compact CLIP learns from captions, which ${data} does not have: name another with --clip <folder or hub name>`,
      );
    const drawn = { seed, count: recipe.clip.pairs, offset: CLIP_FACES_OFFSET };
    // Drawn faces are what they are drawn from; no face is drawn for a CLIP that is there already.
    const drawnId = fingerprint('clip', identityOf('clip', recipe.clip), `${seed}`);
    if (data === 'faces' && isFinished(clipIdentity(recipe, drawnId), this.options)) return;
    const rejected: Rejected[] = [];
    const source = await openPairs(data, {
      ...drawn,
      signal,
      onProgress: display.count('checking'),
      onRejected: (one) => rejected.push(one),
    });
    if (rejected.length > 0) {
      run.writeLines('rejected.jsonl', rejected);
      display.note(`${rejected.length} captioned pictures cannot be used: see ${run.file('rejected.jsonl')}`);
    }
    const id = data === 'faces' ? drawnId : fingerprint(drawnId, pairsId(source));
    if (isFinished(clipIdentity(recipe, id), this.options)) return;
    const side = recipe.clip.imageSize;
    const onProgress = display.count(data === 'faces' ? 'drawing' : 'reading');
    const images = await loadAll(source.images, side, { signal, onProgress });
    const pairs = { size: source.images.size, side, images, caption: source.caption };
    const words = wordsOf(pairs, recipe.clip);
    const common = { settings: recipe.clip, seed, pairs, words, folder: run.clipFolder, fingerprint: id };
    await runStage(this.options, clipMemory(recipe.clip, words), (engine, accumulate) =>
      clipStage({ ...common, engine, accumulate }),
    );
    const trained = await openRunClip(run, this.options.engine);
    try {
      this.clipReport = await reportClip(trained, pairs);
      run.writeJson('clip-report.json', this.clipReport);
    } finally {
      await trained.close();
    }
  }

  /** The visual tokenizer: images only. */
  async tokenizer(): Promise<void> {
    const { run } = this.options;
    const { recipe, seed } = run.settings;
    const { reader, id } = this.pictures();
    const eyes = ownEyes(run);
    const settings = JSON.stringify([recipe.tokenizer, recipe.imageSize]);
    const origin = originOf(run, 'tokenizer');
    const judge = recipe.tokenizer.discriminatorWeight > 0 ? originOf(run, 'discriminator') : undefined;
    const origins = [origin, judge].flatMap((one) => (one ? [one.id] : []));
    const identity = fingerprint('tokenizer', settings, `${seed}`, id, eyes?.id ?? '', ...origins);
    const parameters = tokenizerParameters(recipe.tokenizer, recipe.imageSize);
    await runStage(this.options, tokenizerMemory(recipe, eyes), (engine, accumulate) =>
      tokenizerStage({
        engine,
        recipe,
        seed,
        pictures: reader,
        fingerprint: identity,
        accumulate,
        initial: origin && adopt(parameters, origin.tensors, origin.file),
        initialDiscriminator: judge && discriminatorFrom(judge.tensors, recipe.tokenizer, judge.file),
        loadPerceptual: async () => eyes ?? lpipsOf(run, this.options.lpips, this.options),
        onExport: (params, discriminator) => {
          run.saveModel('tokenizer', params, {});
          if (discriminator) saveDiscriminator(run, discriminator);
        },
      }),
    );
  }

  /** The diffusion model: codes and CLIP image embeddings only. */
  async diffusion(): Promise<void> {
    const { run } = this.options;
    const { recipe } = run.settings;
    const { latents, id } = await this.encoded();
    if (!hasStatistics(run, id)) await this.saveStatistics(latents, id);
    const origin = originOf(run, 'diffusion');
    const parameters = diffusionParameters(transformerConfig(recipe, latents.dim));
    await this.denoiser({
      name: 'diffusion',
      recipe,
      latents,
      id: origin ? fingerprint(id, origin.id) : id,
      initial: origin && adopt(parameters, origin.tensors, origin.file),
      onExport: (params) => {
        run.saveModel('diffusion', params, { latents: id });
        run.forgetModel('finetune');
      },
    });
  }

  /** The paper's second stage: the diffusion model goes on with settings of its own, and learns what guidance needs. */
  async finetune(): Promise<void> {
    const { run } = this.options;
    const { recipe } = run.settings;
    if (recipe.finetune.steps === 0)
      throw new UserError(`The recipe of ${run.path} has no second stage: finetune.steps is 0`);
    if (!run.hasModel('diffusion'))
      throw new UserError(`${run.path} holds no trained diffusion model: train it first with --stage diffusion`);
    const { latents, id } = await this.encoded();
    const file = run.file('diffusion', 'model.safetensors');
    const parameters = diffusionParameters(transformerConfig(recipe, latents.dim));
    const initial = adopt(parameters, run.readModel('diffusion').tensors, file);
    const settings = { ...recipe, diffusion: { ...recipe.diffusion, ...recipe.finetune } };
    await this.denoiser({
      name: 'finetune',
      recipe: settings,
      latents,
      id: fingerprint(id, run.stageHash('diffusion')),
      initial,
      onExport: (params) => run.saveModel('finetune', params, { latents: id }),
    });
  }

  private async denoiser({ name, recipe, latents, id, initial, onExport }: DenoiserPart): Promise<void> {
    const { run, engine: engineOptions } = this.options;
    const { seed } = run.settings;
    const settings = `[${identityOf('diffusion', recipe.diffusion)},${identityOf('tokenizer', recipe.tokenizer)},${recipe.imageSize}]`;
    const validation = new Validation({ run, recipe, latents, engine: engineOptions });
    try {
      await runStage(this.options, denoiserMemory(name, recipe, latents.dim), (engine, accumulate) =>
        diffusionStage({
          engine,
          name,
          recipe,
          seed,
          latents,
          fingerprint: fingerprint('diffusion', settings, `${seed}`, id),
          initial,
          accumulate,
          ...(isValidated(recipe.diffusion) && { validate: (ema) => validation.score(ema) }),
          onExport,
        }),
      );
    } finally {
      await validation.close();
    }
  }

  /** What corrections of prompts know of these pictures, and of texts that nobody wrote for them. */
  private async saveStatistics(latents: Latents, id: string): Promise<void> {
    const { run, engine } = this.options;
    const { recipe, data } = run.settings;
    const clip = await openRunClip(run, engine);
    try {
      const texts = genericTexts(data).map((text) => recipe.sampling.promptPrefix + text);
      const embedded = await clip.embedTexts(texts, { truncate: true });
      saveStatistics(run, statisticsOf(latents, embedded), id);
    } finally {
      await clip.close();
    }
  }

  private pictures(): RunPictures {
    const { run, pictures } = this.options;
    if (!pictures) throw new Error('a stage that learns from pictures was asked for without any');
    this.ready ??= readyPictures(run, pictures, this.options);
    return this.ready;
  }

  private async encoded(): Promise<EncodedPictures> {
    this.latents?.close();
    const { run, engine, memory } = this.options;
    this.latents = await encodePictures(run, this.pictures(), engine, this.options, memory);
    return this.latents;
  }

  close(): void {
    this.ready?.reader.close();
    this.latents?.close();
  }
}
