/** The tokenizer stage: a plain autoencoder first, then codes from its latents, then the Gumbel quantizer with a falling temperature. */

import { float32, type NDArray, scalar, type Tree } from '../ndarray.ts';
import { initialize } from '../nn/parameters.ts';
import { adamState } from '../optim/adamw.ts';
import { warmupCosine } from '../optim/schedule.ts';
import { gumbelBatch, normalBatch } from '../random/noise.ts';
import { Shuffle } from '../random/shuffle.ts';
import { gridSize, type TokenizerRecipe } from '../recipe.ts';
import type { Engine, Executable } from '../runtime/engine.ts';
import type { Metrics, Stage } from '../training/stage.ts';
import { codebookFrom } from './codebook.ts';
import { tokenizerParameters } from './model.ts';
import { planesOf } from './pixels.ts';
import { latentProgram, trainingProgram } from './programs.ts';
import { firstQuantizedStep, type Phase, phaseAt, phasesOf, temperatureAt } from './schedule.ts';

export interface TokenizerStageOptions {
  readonly engine: Engine;
  readonly recipe: TokenizerRecipe;
  readonly seed: number;
  /** [n, imageSize, imageSize, 3]: pictures and nothing else. */
  readonly images: Uint8Array;
  readonly fingerprint: string;
  /** Receives the parameters when the stage is done. */
  readonly onExport: (params: Tree<NDArray>) => Promise<void> | void;
}

/** Latents that the first codebook is clustered from, for each of its codes. */
const LATENTS_PER_CODE = 32;

export function tokenizerStage(options: TokenizerStageOptions): Stage {
  const { engine, recipe, seed, images } = options;
  const { imageSize, tokenizer: settings } = recipe;
  const { batch, codes, codeDim } = settings;
  const tokens = gridSize(recipe) ** 2;
  const count = images.length / (3 * imageSize ** 2);
  const shuffle = new Shuffle(seed, 'tokenizer/order', count);
  const programs = new Map<Phase | 'latents', Executable>();
  let drawn: { readonly step: number; readonly feeds: Record<string, NDArray> } | undefined;

  const picture = (rows: ArrayLike<number>) =>
    float32(planesOf(images, rows, imageSize), [batch, 3, imageSize, imageSize]);

  /** All that step `step` is fed: a pure function of the step. */
  function drawFeeds(step: number): Record<string, NDArray> {
    const rows = shuffle.batch(step, batch);
    const samples = Array.from({ length: batch }, (_, i) => i);
    const key = (stream: string) => ({ seed, stream: `tokenizer/${stream}`, step });
    const common = { x: picture(rows), lr: scalar(warmupCosine(settings, step)) };
    if (phaseAt(settings, step) === 'autoencoder') {
      const noise = normalBatch(key('latent'), samples, tokens * codeDim).map((z) => z * settings.latentNoise);
      return { ...common, noise: float32(noise, [batch, tokens, codeDim]) };
    }
    const gumbel = float32(gumbelBatch(key('gumbel'), samples, tokens * codes), [batch, tokens, codes]);
    return { ...common, gumbel, temperature: scalar(temperatureAt(settings, step)) };
  }

  /** The codebook, and the logits that go with it, from the latents the autoencoder now has: a pure function of the state. */
  async function seedCodebook(): Promise<void> {
    const latents: Float32Array[] = [];
    const steps = Math.ceil(Math.min(LATENTS_PER_CODE * codes, count * tokens) / (batch * tokens));
    for (let step = 0; step < steps; step++) {
      const { rows } = await programs.get('latents')!.run({ x: picture(shuffle.batch(step, batch)) });
      latents.push(rows!.data as Float32Array);
    }
    const key = { seed, stream: 'tokenizer/codebook', step: 0 };
    await engine.load({ params: { quantize: await codebookFrom(joined(latents), codeDim, codes, key) } });
  }

  return {
    name: 'tokenizer',
    steps: settings.steps,
    batch,
    fingerprint: options.fingerprint,

    async prepare() {
      const phases = phasesOf(settings);
      for (const phase of phases)
        if (!programs.has(phase)) programs.set(phase, await engine.compile(trainingProgram(recipe, phase)));
      if (phases.includes('autoencoder') && !programs.has('latents'))
        programs.set('latents', await engine.compile(latentProgram(recipe)));
      const params = initialize(tokenizerParameters(settings, imageSize), seed);
      const usage = float32(new Float32Array(codes).fill(1 / codes), [codes]);
      await engine.load({ params, adam: adamState(params), usage });
    },

    async run(step) {
      if (step > 0 && step === firstQuantizedStep(settings)) await seedCodebook();
      const feeds = drawn?.step === step ? drawn.feeds : drawFeeds(step);
      const running = programs.get(phaseAt(settings, step))!.run(feeds);
      // The noise of the next step is drawn while the engine works on this one.
      if (step + 1 < settings.steps) drawn = { step: step + 1, feeds: drawFeeds(step + 1) };
      return metricsOf(await running);
    },

    hostState: () => ({}),
    restore() {},

    async export() {
      await options.onExport(await engine.read('params'));
    },
  };
}

function metricsOf({ loss, squared, shares }: Record<string, NDArray>): Metrics {
  // Pictures span 2, from -1 to 1.
  const psnr = 10 * Math.log10(4 / squared!.data[0]!);
  if (!shares) return { loss: loss!.data[0]!, psnr };
  const used = [...shares.data].filter((share) => share > 0.01 / shares.data.length);
  const entropy = used.reduce((sum, share) => sum - share * Math.log(share), 0);
  return { loss: loss!.data[0]!, psnr, perplexity: Math.exp(entropy), codesUsed: used.length };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
