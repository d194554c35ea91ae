/** Putting the denoiser to work: the sizes a recipe gives it, and a compiled, guided denoiser for samplers. */

import { bytes, float32, int32, type NDArray, type Tree } from '../base/ndarray.ts';
import { unflatten } from '../base/tree.ts';
import { CompiledPrograms } from '../engine/compiled.ts';
import type { Executor } from '../engine/executor.ts';
import * as g from '../graph/index.ts';
import { normalize } from '../nn/layers.ts';
import { openBatch } from '../nn/open-batch.ts';
import { literals } from '../nn/parameters.ts';
import { gridSize, type Recipe } from '../recipe/schema.ts';
import { guided, isGuided } from './guidance.ts';
import { samplingArrays, samplingParameters } from './layout.ts';
import { logPrediction } from './loss.ts';
import { maskReplaceSchedule, type Schedule } from './process/schedule.ts';
import type { Denoiser } from './samplers/sampler.ts';
import { type DiffusionModel, denoise, diffusionParameters, type TransformerConfig } from './transformer.ts';

/** The parts of a recipe that shape the diffusion model. */
export type DiffusionRecipe = Pick<Recipe, 'imageSize' | 'tokenizer' | 'diffusion' | 'clip'>;

/**
 * The sizes of the network of a recipe.
 * @param conditionDim width of the CLIP embedding; it belongs to the CLIP in use, not to the recipe.
 */
export function transformerConfig(recipe: DiffusionRecipe, conditionDim: number): TransformerConfig {
  return { ...recipe.diffusion, codes: recipe.tokenizer.codes, grid: gridSize(recipe), conditionDim };
}

/** The schedule that a recipe's settings describe. */
export function scheduleOf({ diffusion, tokenizer }: DiffusionRecipe): Schedule {
  return maskReplaceSchedule({ ...diffusion, steps: diffusion.timesteps, codes: tokenizer.codes });
}

/**
 * How the null condition n enters guidance: n / |n|, as in training, or n as it is, as the official program samples.
 * Models imported from there keep its way.
 */
export type NullEmbedding = 'normalized' | 'raw';

/**
 * On the CPU a pass over more positions than this is done in parts: that costs some speed and saves a third of the
 * memory at batch 16 (docs/performance.md). A GPU computes all of them at once.
 */
const MOST_POSITIONS = 1024;

/** The state path under which a denoiser finds its weights. */
const DENOISER = 'denoiser';

/** Programs that a pool keeps: for some batch sizes, with guidance and without. */
const MOST_PROGRAMS = 8;

/**
 * Denoisers of one model for any prompts: programs are compiled when a batch size is first needed, and those used last
 * are kept.
 */
export class DenoiserPool {
  private readonly programs: CompiledPrograms;

  private constructor(
    private readonly executor: Executor,
    private readonly config: TransformerConfig,
    private readonly nullEmbedding: NullEmbedding,
  ) {
    this.programs = new CompiledPrograms(executor, MOST_PROGRAMS);
  }

  /**
   * Load weights into the executor's state, by path, a few at a time: an iterator that makes or reads them need not
   * hold them all.
   * @param handOver whether the arrays are not needed any more: they may be empty afterwards.
   */
  static async create(
    executor: Executor,
    config: TransformerConfig,
    weights: Iterable<readonly [path: string, array: NDArray]>,
    nullEmbedding: NullEmbedding = 'normalized',
    handOver = false,
  ): Promise<DenoiserPool> {
    await loadArranged(executor, weights, handOver);
    return new DenoiserPool(executor, config, nullEmbedding);
  }

  /**
   * A denoiser for one batch of conditions: log p(x_0), guided as log p ∝ ℓ_null + s (ℓ_cond − ℓ_null).
   * @param conditions unit rows, [batch, conditionDim].
   * @param guidance s, or s at each time; within 0.001 of 1 the unconditional half is not computed at all.
   * @param onPass called after every pass of the network, with whether it had an unconditional half.
   * @param negative a unit row [conditionDim] that takes the place of the null condition, for all pictures alike.
   */
  async denoiser(
    conditions: Float32Array,
    guidance: number | ((t: number) => number),
    onPass?: (guided: boolean) => void,
    negative?: Float32Array,
  ): Promise<Denoiser> {
    const { conditionDim, grid, codes } = this.config;
    const [batch, tokenCount] = [conditions.length / conditionDim, grid * grid];
    const positions = tokenCount / (this.config.fold ?? 1) ** 2;
    const most = this.executor.device === 'cpu' ? Math.max(1, Math.floor(MOST_POSITIONS / positions)) : batch;
    const parts = evenParts(batch, most);
    return async (tokens, t) => {
      const scale = typeof guidance === 'number' ? guidance : guidance(t);
      const withNull = isGuided(scale);
      const part = async (from: number, count: number) => {
        const cut = <A extends Float32Array | Int32Array>(rows: A, width: number) =>
          rows.slice(from * width, (from + count) * width) as A;
        const feeds = {
          condition: float32(cut(conditions, conditionDim), [count, conditionDim]),
          ...(withNull && { scale: float32([scale], []) }),
          ...(withNull && negative && { negative: float32(negative, [1, conditionDim]) }),
          tokens: int32(cut(tokens, tokenCount), [count, tokenCount]),
          t: int32(new Int32Array(count).fill(t), [count]),
        };
        return (await this.run(count, !withNull ? 'plain' : negative ? 'negative' : 'guided', feeds)).logProbs!
          .data as Float32Array;
      };
      const joined = async () => {
        const all = new Float32Array(batch * tokenCount * codes);
        for (const { from, count } of parts) all.set(await part(from, count), from * tokenCount * codes);
        return all;
      };
      const logProbs = await (parts.length === 1 ? part(0, batch) : joined());
      onPass?.(withNull);
      return logProbs;
    };
  }

  /** Replace the weights; denoisers already given out use the new ones. */
  async update(weights: Iterable<readonly [path: string, array: NDArray]>): Promise<void> {
    await loadArranged(this.executor, weights);
  }

  private run(
    batch: number,
    kind: 'plain' | 'guided' | 'negative',
    feeds: Tree<NDArray>,
  ): Promise<Record<string, NDArray>> {
    const write = () => {
      if (kind === 'plain') return plainProgram(this.config, batch);
      return guidedProgram(this.config, batch, kind === 'negative' ? 'given' : this.nullEmbedding);
    };
    return this.programs.run(`denoiser ${batch}${kind === 'plain' ? '' : ` ${kind}`}`, write, feeds);
  }
}

/** `total` in parts as equal as can be, none larger than `most`. */
function evenParts(total: number, most: number): { readonly from: number; readonly count: number }[] {
  const n = Math.ceil(total / most);
  const border = (i: number) => Math.round((i * total) / n);
  return Array.from({ length: n }, (_, i) => ({ from: border(i), count: border(i + 1) - border(i) }));
}

/** Bytes of weights that go to the executor together. */
const GIVEN = 2 ** 23;

/** A few arrays at a time: a large model need not be there once more in another order. */
async function loadArranged(
  executor: Executor,
  weights: Iterable<readonly [string, NDArray]>,
  handOver = false,
): Promise<void> {
  let some: Record<string, NDArray> = {};
  let size = 0;
  const give = async () => {
    if (size > 0) await executor.give({ [DENOISER]: unflatten(some) });
    [some, size] = [{}, 0];
  };
  for (const [path, array] of weights) {
    size += bytes(array);
    Object.assign(some, samplingArrays(path, array, handOver));
    if (size >= GIVEN) await give();
  }
  await give();
  await executor.upload(DENOISER);
}

function denoiserInputs(config: TransformerConfig, batch: number) {
  return {
    state: { [DENOISER]: samplingParameters(diffusionParameters(config)) } as {
      denoiser: ReturnType<typeof diffusionParameters>;
    },
    tokens: g.i32(batch, config.grid ** 2),
    t: g.i32(batch),
    condition: g.f32(batch, config.conditionDim),
  };
}

/**
 * The network for batches of any size, to be written with `openBatch`: codes with the mask K, int32 [batch, tokens],
 * times, int32 [batch], and unit rows [batch, conditionDim] to log p(x_0), [batch, tokens, codes], not guided.
 */
export function openDenoiser(config: TransformerConfig, model: DiffusionModel<NDArray>): g.Program {
  const { tokens, t, condition } = denoiserInputs(config, 1);
  return openBatch(() =>
    g.trace({ tokens, t, condition }, (given) => ({
      logProbs: logPrediction(
        denoise(literals(model.transformer), given.tokens, given.t, given.condition, config.heads),
      ),
    })),
  );
}

function plainProgram(config: TransformerConfig, batch: number): g.Program {
  return g.trace(denoiserInputs(config, batch), ({ state, tokens, t, condition }) => ({
    logProbs: logPrediction(denoise(state.denoiser.transformer, tokens, t, condition, config.heads)),
  }));
}

/**
 * Both halves in one batch: the conditional and the unconditional pass share every matrix product.
 * @param nullEmbedding how the model's own null condition enters, or `given`: an input `negative` [1, conditionDim] in
 * its place.
 */
function guidedProgram(
  config: TransformerConfig,
  batch: number,
  nullEmbedding: NullEmbedding | 'given' = 'normalized',
): g.Program {
  const inputs = {
    ...denoiserInputs(config, batch),
    scale: g.f32(),
    ...(nullEmbedding === 'given' && { negative: g.f32(1, config.conditionDim) }),
  };
  return g.trace(inputs, ({ state, tokens, t, condition, scale, negative }) => {
    const { transformer, empty_text_embed } = state.denoiser as DiffusionModel<g.Tensor>;
    const n = negative ?? (nullEmbedding === 'raw' ? empty_text_embed : normalize(empty_text_embed));
    const nothing = g.expand(n, [batch, config.conditionDim]);
    const twice = (x: g.Tensor) => g.concat([x, x], 0);
    const both = logPrediction(
      denoise(transformer, twice(tokens), twice(t), g.concat([condition, nothing], 0), config.heads),
    );
    const [conditional, unconditional] = [g.slice(both, 0, 0, batch), g.slice(both, 0, batch)];
    return { logProbs: guided(conditional, unconditional, scale) };
  });
}
