/** The tokenizer stage: a plain autoencoder first, then codes from its latents, then the Gumbel quantizer with a falling temperature. */

import { UserError } from '../base/errors.ts';
import { float32, int32, type NDArray, scalar, type Tree } from '../base/ndarray.ts';
import { flatten, type Mapped, unflatten } from '../base/tree.ts';
import { type PictureReader, ReadAhead, type View } from '../data/cache/reader.ts';
import type { Engine, Executable } from '../engine/engine.ts';
import type { PlannedProgram } from '../engine/memory/footprint.ts';
import type { Spec } from '../graph/index.ts';
import { fromEngineLayout, toEngineLayout } from '../nn/kernel-layout.ts';
import { initialize } from '../nn/parameters.ts';
import { adamState } from '../optim/adamw.ts';
import { microBatch, split } from '../optim/micro-batches.ts';
import { gumbelBatch, normalBatch } from '../random/noise.ts';
import { Shuffle } from '../random/shuffle.ts';
import { gridSize, type TokenizerRecipe } from '../recipe/schema.ts';
import type { Stage } from '../stage/stage.ts';
import { codebookFrom } from './codebook.ts';
import { discriminatorBuffers, discriminatorParameters, type TrainedDiscriminator } from './discriminator.ts';
import { metricsOf } from './metrics.ts';
import { tokenizerParameters } from './model.ts';
import type { PerceptualDistance } from './perceptual.ts';
import { planesOf } from './pixels.ts';
import { deadCodes, forgetMoments, revive } from './revival.ts';
import { firstQuantizedStep, klWeightAt, phaseAt, rateAt, temperatureAt, type Variant, variantAt } from './schedule.ts';
import {
  ADDED_UP,
  ASSIGNMENT,
  followed,
  LATENTS,
  stagePrograms,
  stepOf,
  stepPrograms,
  type TokenizerStep,
  zeroSums,
} from './step.ts';

export interface TokenizerStageOptions {
  readonly engine: Engine;
  readonly recipe: TokenizerRecipe;
  readonly seed: number;
  /** Pictures of imageSize and nothing else. */
  readonly pictures: PictureReader;
  readonly fingerprint: string;
  /** Micro-batches that a batch is computed in, to save memory; 1 unless told. Results are those of the whole batch, up to rounding. */
  readonly accumulate?: number | undefined;
  /** Weights to start from; by default random ones. */
  readonly initial?: Tree<NDArray> | undefined;
  readonly initialDiscriminator?: TrainedDiscriminator | undefined;
  /** Opens the perceptual distance, if the recipe wants one; where there is none the loss does without. */
  readonly loadPerceptual?: (() => Promise<PerceptualDistance | undefined>) | undefined;
  /** Receives the parameters when the stage is done, and the discriminator if there is one. */
  readonly onExport: (params: Tree<NDArray>, discriminator?: TrainedDiscriminator) => Promise<void> | void;
}

/** Latents that the first codebook is clustered from, for each of its codes. */
const LATENTS_PER_CODE = 32;

export function tokenizerStage(options: TokenizerStageOptions): Stage {
  const { engine, recipe, seed, pictures, accumulate: parts = 1 } = options;
  const { imageSize, tokenizer: settings } = recipe;
  const { batch, codes, codeDim, reviveAfter } = settings;
  const tokens = gridSize(recipe) ** 2;
  const count = pictures.size;
  microBatch(batch, parts);
  const shuffle = new Shuffle(seed, 'tokenizer/order', count);
  /** The pictures of a step, each in the view of its epoch. */
  const picksOf = (step: number): View[] => {
    const epochs = shuffle.epochs(step, batch);
    return Array.from(shuffle.batch(step, batch), (row, i) => ({ row, view: epochs[i]! }));
  };
  const ahead = new ReadAhead(pictures, picksOf, settings.steps);
  let waited = 0;
  const programs = new Map<string, Executable>();
  /** The names of those that the last step ran. */
  let running: readonly string[] = [];
  let perceptual: PerceptualDistance | undefined;
  let drawn: { readonly step: number; readonly feeds: Promise<Record<string, NDArray>> } | undefined;

  const planes = async (bytes: Promise<Uint8Array>) => {
    const rows = Array.from({ length: batch }, (_, i) => i);
    return float32(planesOf(await bytes, rows, imageSize), [batch, 3, imageSize, imageSize]);
  };
  const pictureOf = (step: number) => planes(pictures.read(picksOf(step)));

  /** All that step `step` is fed: a pure function of the step. */
  async function drawFeeds(step: number): Promise<Record<string, NDArray>> {
    const x = await planes(ahead.at(step));
    const samples = Array.from({ length: batch }, (_, i) => i);
    const key = (stream: string) => ({ seed, stream: `tokenizer/${stream}`, step });
    const common = { x, lr: scalar(rateAt(settings, step)) };
    if (phaseAt(settings, step) === 'autoencoder') {
      const noise = normalBatch(key('latent'), samples, tokens * codeDim).map((z) => z * settings.latentNoise);
      return { ...common, noise: float32(noise, [batch, tokens, codeDim]) };
    }
    const gumbel = float32(gumbelBatch(key('gumbel'), samples, tokens * codes), [batch, tokens, codes]);
    const scheduled = {
      temperature: scalar(temperatureAt(settings, step)),
      klWeight: scalar(klWeightAt(settings, step)),
    };
    return { ...common, gumbel, ...scheduled };
  }

  /** The codebook, and the logits that go with it, from the latents the autoencoder now has: a pure function of the state. */
  async function seedCodebook(): Promise<void> {
    const latents: Float32Array[] = [];
    const steps = Math.ceil(Math.min(LATENTS_PER_CODE * codes, count * tokens) / (batch * tokens));
    for (let step = 0; step < steps; step++) {
      const feeds = split({ x: await pictureOf(step) }, parts);
      for (const x of feeds) latents.push((await programs.get(LATENTS)!.run(x)).rows!.data as Float32Array);
    }
    const key = { seed, stream: 'tokenizer/codebook', step: 0 };
    await engine.load({ params: { quantize: await codebookFrom(joined(latents), codeDim, codes, key) } });
  }

  /** Seed the codes that are dead by the latents of this step's pictures: a pure function of the state and the step. */
  async function reviveCodes(step: number): Promise<void> {
    const idle = (await read({ idle: { dtype: 'float32', shape: [codes] } })).idle.data;
    const dead = deadCodes(idle, reviveAfter);
    if (dead.length === 0) return;
    const chosen: Record<string, NDArray>[] = [];
    for (const x of split({ x: await pictureOf(step) }, parts)) chosen.push(await programs.get(ASSIGNMENT)!.run(x));
    const { quantize } = tokenizerParameters(settings, imageSize);
    const state = await read({ params: { quantize }, adam: { mean: { quantize }, square: { quantize } } });
    const assignment = {
      rows: joined(chosen.map(({ rows }) => rows!.data as Float32Array)),
      index: Int32Array.from(chosen.flatMap(({ index }) => [...(index!.data as Int32Array)])),
    };
    const key = { seed, stream: 'tokenizer/revival', step };
    const { revived, quantize: next } = revive(state.params.quantize, dead, assignment, key);
    const reborn = revived.map(({ code }) => code);
    await engine.load({
      params: { quantize: next },
      adam: {
        mean: { quantize: forgetMoments(state.adam.mean.quantize, reborn) },
        square: { quantize: forgetMoments(state.adam.square.quantize, reborn) },
      },
      idle: float32(
        Float32Array.from(idle, (count, code) => (reborn.includes(code) ? 0 : count)),
        [codes],
      ),
    });
  }

  /** A part of the engine's state. */
  async function read<P extends { readonly [key: string]: Tree<Spec> }>(wanted: P): Promise<Mapped<P, NDArray>>;
  async function read(wanted: { readonly [key: string]: Tree<Spec> }): Promise<Tree<NDArray>> {
    const part: Record<string, NDArray> = {};
    for (const path of Object.keys(flatten(wanted))) part[path] = (await engine.read(path)) as NDArray;
    return unflatten(part);
  }

  /** A program by its name, compiled once. */
  async function compiled({ name, write, ...compile }: PlannedProgram): Promise<Executable> {
    const program = programs.get(name) ?? (await engine.compile(write(), { name, ...compile }));
    programs.set(name, program);
    return program;
  }

  async function training(variant: Variant): Promise<TokenizerStep> {
    const wanted = stepPrograms(recipe, variant, perceptual, parts);
    const names = wanted.map(({ name }) => name);
    // No step goes back to a variant that is over: its memory is for the next.
    for (const name of running.filter((one) => !names.includes(one))) {
      await programs.get(name)?.release();
      programs.delete(name);
    }
    running = names;
    const steps: Executable[] = [];
    for (const program of wanted) steps.push(await compiled(program));
    return stepOf(variant, parts, steps);
  }

  return {
    name: 'tokenizer',
    steps: settings.steps,
    batch,
    fingerprint: options.fingerprint,
    transient: ADDED_UP,

    async prepare() {
      if (settings.perceptualWeight > 0) perceptual = await options.loadPerceptual?.();
      for (const program of stagePrograms(recipe, perceptual, parts)) await compiled(program);
      await engine.load(initialState(recipe, seed, options.initial, options.initialDiscriminator));
      if (parts > 1) await engine.load(zeroSums(recipe));
    },

    async run(step) {
      const first = firstQuantizedStep(settings);
      if (step > 0 && step === first) await seedCodebook();
      if (reviveAfter > 0 && step > first && step % reviveAfter === 0) await reviveCodes(step);
      const train = await training(variantAt(followed(settings, perceptual), step));
      const asked = performance.now();
      const feeds = await engine.span('data wait', () => (drawn?.step === step ? drawn.feeds : drawFeeds(step)));
      waited += performance.now() - asked;
      const results = train(feeds);
      // The next step's pictures are read, and its noise drawn, while the engine works on this one.
      if (step + 1 < settings.steps) {
        const next = drawFeeds(step + 1);
        next.catch(() => {});
        drawn = { step: step + 1, feeds: next };
      }
      return metricsOf(await results);
    },

    waited: () => waited,

    hostState: () => (settings.perceptualWeight > 0 ? { lpips: identity(perceptual) } : {}),
    restore({ lpips }) {
      if (!lpips || lpips.data.join() === identity(perceptual).data.join()) return;
      if (lpips.data.some((word) => word !== 0))
        throw new UserError(
          'The tokenizer has been learning with a perceptual distance whose weights are not there now: name their folder with --lpips',
        );
      // What began without weights goes on without them.
      perceptual = undefined;
    },

    async export() {
      const judge = settings.discriminatorWeight > 0 && {
        params: (await engine.read('discriminator.params')) as TrainedDiscriminator['params'],
        buffers: (await engine.read('discriminator.buffers')) as TrainedDiscriminator['buffers'],
      };
      const params = fromEngineLayout(await engine.read('params'), tokenizerParameters(settings, imageSize));
      await options.onExport(params, judge || undefined);
    },
  };
}

/** The state at step 0: what the recipe does not use is not there. */
function initialState(
  { imageSize, tokenizer: settings }: TokenizerRecipe,
  seed: number,
  initial: Tree<NDArray> = initialize(tokenizerParameters(settings, imageSize), seed),
  discriminator?: TrainedDiscriminator,
): { readonly [key: string]: Tree<NDArray> } {
  const { codes, reviveAfter, discriminatorWeight } = settings;
  const params = toEngineLayout(initial);
  const state = { params, adam: adamState(params), usage: float32(new Float32Array(codes).fill(1 / codes), [codes]) };
  const idle = { idle: float32(new Float32Array(codes), [codes]) };
  const judge = discriminator?.params ?? initialize(discriminatorParameters(settings), seed);
  const buffers = discriminator?.buffers ?? initialize(discriminatorBuffers(settings), seed);
  return {
    ...state,
    ...(reviveAfter > 0 && idle),
    ...(discriminatorWeight > 0 && { discriminator: { params: judge, adam: adamState(judge), buffers } }),
  };
}

/** The SHA-256 of the weights of a distance as int32 [8], zeros for none. */
const identity = (distance: PerceptualDistance | undefined): NDArray<'int32'> =>
  int32(
    Array.from({ length: 8 }, (_, i) => (distance ? Number.parseInt(distance.id.slice(8 * i, 8 * i + 8), 16) | 0 : 0)),
    [8],
  );

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
