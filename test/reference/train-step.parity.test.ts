/**
 * Whole training steps against the official solver: encoding, condition, corruption, loss, gradients, clipping, AdamW,
 * the warm-up of the learning rate, the history of losses, and the moving average.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { float32, int32, type NDArray, scalar } from '../../src/base/ndarray.ts';
import { flatten } from '../../src/base/tree.ts';
import { pseudoText } from '../../src/diffusion/condition.ts';
import { gumbelArgmax } from '../../src/diffusion/process/reference-draw.ts';
import { marginal, maskReplaceSchedule } from '../../src/diffusion/process/schedule.ts';
import {
  batchInputs,
  loadTraining,
  readTraining,
  seenConditions,
  trainedParameters,
  trainingLoss,
  trainingProgram,
} from '../../src/diffusion/programs.ts';
import { initialTimesteps, probabilities, updateHistory } from '../../src/diffusion/timesteps.ts';
import { diffusionParameters } from '../../src/diffusion/transformer.ts';
import type { Executable } from '../../src/engine/engine.ts';
import * as g from '../../src/graph/index.ts';
import { adopt } from '../../src/nn/parameters.ts';
import { initialPlateau, nextPlateau, type PlateauSettings } from '../../src/optim/plateau.ts';
import { makeRecipe } from '../../src/recipe/recipe.ts';
import { eachToken } from '../support/class-rows.ts';
import { onFixture } from '../support/fixtures.ts';
import { startKeepingEngine } from '../support/keeping-engine.ts';
import { compare, EXACT, NETWORK } from '../support/parity.ts';
import { ReferenceSystem, type SolverCheckpoint } from '../support/reference-system.ts';

/** What neither the file nor the checkpoint holds: from the fixtures' README. */
const NOISE_SCALE = 0.5;
const EMA_DECAY = 0.99;
const EMA_EVERY = 2;
const CHECKPOINTS = 'checkpoints/index.json';
const LOSS = { auxiliaryWeight: 5e-4, maskWeights: [1, 1] as [number, number] };

onFixture(
  'train_step',
  (file) => {
    const engine = startKeepingEngine();
    const system = new ReferenceSystem(engine, file);
    const { config, checkpoint } = system;
    const steps = file.matching(/^step(\d+)\.x0$/).map(Number);
    const [batch, tokens] = file.tensor('step0.x0').shape as [number, number];
    const schedule = maskReplaceSchedule({ steps: config.timesteps, codes: config.codes });
    const initial = adopt(diffusionParameters(config), file.under('params0.'), 'fixtures/train_step');
    const optimizer = optimizerSettings(checkpoint);
    const settings = { ...makeRecipe('nano').diffusion, ...LOSS, ...optimizer, timesteps: config.timesteps, batch };
    let training: Executable;
    let inspection: Executable;
    let times = initialTimesteps(config.timesteps);
    let rate = initialPlateau();

    beforeAll(async () => {
      await system.load();
      await loadTraining(engine, Object.entries(flatten<NDArray>(initial)));
      training = await engine.compile(trainingProgram(config, schedule, settings));
      inspection = await engine.compile(lossAndGradients());
    });
    afterAll(() => engine.close());

    /** The loss of every picture and the gradients before clipping, which the training program keeps to itself. */
    function lossAndGradients(): g.Program {
      const inputs = { state: { params: trainedParameters(config) }, ...batchInputs(config, { batch }) };
      return g.trace(inputs, ({ state: { params }, ...drawn }) => {
        const { loss, bound } = trainingLoss(params, drawn, schedule, settings, config.heads);
        const seen = seenConditions(params.empty_text_embed, drawn.condition, drawn.dropped);
        return { seen, bound, grads: g.grad(loss, params) };
      });
    }

    /** x_t by the official draw from q(x_t | x_0). */
    function noised(x0: Int32Array, t: Int32Array, uniform: NDArray): Int32Array {
      const columns = eachToken(uniform);
      return x0.map((code, i) => {
        const { alpha, beta, gamma } = marginal(schedule, t[Math.floor(i / tokens)]!);
        const logs = columns[i]!.map((_, k) => Math.log(k === config.codes ? gamma : k === code ? alpha + beta : beta));
        return gumbelArgmax(logs, columns[i]!);
      });
    }

    if (!system.isWhole)
      console.warn(
        'SKIPPED: codes and embeddings of train_step, because its checkpoint has neither tokenizer nor CLIP',
      );

    /** Codes of the step's pictures: encoded here or, without a tokenizer, as the file has them. */
    async function codes(step: number): Promise<Int32Array> {
      if (!system.isWhole) return file.ints(`step${step}.x0`);
      const out = await system.encode(file.feed(`step${step}.image`), file.feed(`step${step}.gumbel`));
      return out.data as Int32Array;
    }

    /**
     * Conditions before dropout: embedded here or, without a CLIP, as the file has them where they were not dropped.
     */
    async function conditions(step: number): Promise<Float32Array> {
      if (!system.isWhole) return Float32Array.from(file.floats(`step${step}.cond`));
      const embedding = (await system.embedImages(file.feed(`step${step}.image`))).data;
      return pseudoText(embedding, file.floats(`step${step}.noise`), NOISE_SCALE, config.conditionDim);
    }

    // One after another: each starts from the weights that the one before left behind.
    it.each(steps)('step %d gives the same loss and gradients', async (step) => {
      const stored = (name: string) => `step${step}.${name}`;
      const x0 = await codes(step);
      compare('train_step', 'x0', x0, file.ints(stored('x0')), EXACT);

      const undropped = await conditions(step);
      const dropped = file.ints(stored('mask'));

      const t = file.ints(stored('t'));
      const xt = noised(x0, t, file.tensor(stored('uniform')));
      compare('train_step', 'x_t', xt, file.ints(stored('x_t')), EXACT);

      const pt = Array.from(t, (time) => probabilities(times)[time]!);
      const feeds = {
        x0: int32(x0, [batch, tokens]),
        xt: int32(xt, [batch, tokens]),
        t: int32(t, [batch]),
        pt: float32(pt, [batch]),
        condition: float32(undropped, [batch, config.conditionDim]),
        dropped: float32(Float32Array.from(dropped), [batch, 1]),
      };
      const before = await inspection.run(feeds);
      compare('train_step', 'cond', before.seen!.data, file.floats(stored('cond')), NETWORK);
      compare('train_step', 'vb_loss', before.bound!.data, file.floats(stored('vb_loss')), NETWORK);
      for (const name of file.names.filter((name) => name.startsWith(stored('grad_unclipped.')))) {
        const path = `grads.${name.slice(stored('grad_unclipped.').length)}`;
        compare('train_step', 'grad_unclipped', before[path]!.data, file.floats(name), NETWORK);
      }

      compare('train_step', 'lr', [rate.rate], file.floats(stored('lr')), { relative: 1e-12 });
      const average = (step + 1) % EMA_EVERY === 0 ? EMA_DECAY : 1;
      const out = await training.run({ ...feeds, lr: scalar(rate.rate), emaDecay: scalar(average) });
      compare('train_step', 'loss', out.loss!.data, file.floats(stored('loss')), NETWORK);
      compare(
        'train_step',
        'grad_norm_before_clip',
        out.norm!.data,
        file.floats(stored('grad_norm_before_clip')),
        NETWORK,
      );
      times = updateHistory(times, t, out.kl!.data);
      rate = nextPlateau(optimizer.plateau, rate, out.loss!.data[0]!);
      compare('train_step', 'Lt_history', times.history, file.floats(stored('Lt_history_after')), NETWORK);
      compare('train_step', 'Lt_count', times.count, file.floats(stored('Lt_count_after')), EXACT);
    });

    it('leaves the official weights, average and moments behind', async () => {
      const after = flatten(await readTraining(engine, config, 'params'));
      const travelled = steps.reduce((sum, step) => sum + file.floats(`step${step}.lr`)[0]!, 0);
      const own = file.under(`params_after${steps.length}.`);
      // The checkpoint was saved after the last step.
      const stored = Object.keys(own).length > 0 ? own : flatten<NDArray>(checkpoint.diffusion('model', config));
      expect(Object.keys(after).toSorted()).toEqual(Object.keys(stored).toSorted());
      for (const [name, { data }] of Object.entries(after)) {
        // Adam makes full steps of rounding noise where a gradient is zero in theory.
        const zero = name.endsWith('attn.key.bias');
        const quantity = zero ? 'params_after, zero gradient' : 'params_after';
        compare(
          'train_step',
          quantity,
          data,
          stored[name]!.data as Float32Array,
          zero ? { absolute: 2 * travelled } : NETWORK,
        );
      }
      if (Object.keys(checkpoint.tensors('ema', '')).length === 0)
        return console.warn('SKIPPED: the average of train_step, because its checkpoint has none');
      const ema = flatten(await readTraining(engine, config, 'ema'));
      for (const [name, { data }] of Object.entries(flatten<NDArray>(checkpoint.diffusion('ema', config)))) {
        if (!name.endsWith('attn.key.bias')) compare('train_step', 'ema', ema[name]!.data, data, NETWORK);
      }
    });
  },
  CHECKPOINTS,
);

/** AdamW, clipping and schedule as the solver saved them. */
function optimizerSettings(checkpoint: SolverCheckpoint) {
  const saved = ['optimizer_and_scheduler', 'none'] as const;
  const adam = [...saved, 'optimizer', 'module', 'param_groups', 0] as const;
  const scheduler = (name: string) => checkpoint.number(...saved, 'scheduler', 'module', name);
  const choice = (name: string) => String(checkpoint.at(...saved, 'scheduler', 'module', name));
  const plateau: PlateauSettings = {
    warmupRate: scheduler('warmup_lr'),
    warmupSteps: scheduler('warmup'),
    minRate: checkpoint.number(...saved, 'scheduler', 'module', 'min_lrs', 0),
    factor: scheduler('factor'),
    patience: scheduler('patience'),
    cooldown: scheduler('cooldown'),
    mode: choice('mode') === 'max' ? 'max' : 'min',
    threshold: scheduler('threshold'),
    thresholdMode: choice('threshold_mode') === 'abs' ? 'abs' : 'rel',
    smallestChange: scheduler('eps'),
  };
  return {
    beta1: checkpoint.number(...adam, 'betas', 0),
    beta2: checkpoint.number(...adam, 'betas', 1),
    weightDecay: checkpoint.number(...adam, 'weight_decay'),
    clipNorm: checkpoint.number('clip_grad_norm', 'max_norm'),
    plateau,
  };
}
