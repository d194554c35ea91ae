/** The programs of the tokenizer stage: a training step for each phase, and the latents of pictures. */

import * as g from '../graph/index.ts';
import { type AdamState, adamw } from '../optim/adamw.ts';
import { gridSize, type TokenizerRecipe } from '../recipe.ts';
import { autoencoderLoss, squaredError, tokenizerLoss } from './loss.ts';
import { encode, type Tokenizer, tokenizerParameters } from './model.ts';
import { codeShares, latentRows } from './quantizer.ts';
import type { Phase } from './schedule.ts';

/** What the moving average of code use keeps at each step: it looks back about 20 batches. */
const USAGE_DECAY = 0.95;

/**
 * One step of a phase: loss, backward pass and Adam as one graph. Feeds: pictures `x` [batch, 3, size, size], learning rate `lr`,
 * and the phase's noise, `noise` [batch, tokens, codeDim] or `gumbel` [batch, tokens, codes] with a `temperature`. Results: `loss`,
 * the mean squared error `squared`, and with codes `shares` [codes], the moving average of how often each is used.
 */
export function trainingProgram({ imageSize, tokenizer: settings }: TokenizerRecipe, phase: Phase): g.Program {
  const { batch, codes, codeDim } = settings;
  const tokens = gridSize({ imageSize, tokenizer: settings }) ** 2;
  const params = tokenizerParameters(settings, imageSize);
  const state = { params, adam: { step: g.f32(), mean: params, square: params } };
  const x = g.f32(batch, 3, imageSize, imageSize);
  const lr = g.f32();

  const update = (model: Tokenizer<g.Tensor>, loss: g.Tensor, adam: AdamState<g.Tensor>, rate: g.Tensor) => {
    const next = adamw(model, g.grad(loss, model), adam, rate, { ...settings, eps: 1e-8, weightDecay: 0 });
    return { params: next.params, adam: next.state };
  };
  if (phase === 'autoencoder')
    return g.trace({ state, x, lr, noise: g.f32(batch, tokens, codeDim) }, (inputs) => {
      const { loss, image } = autoencoderLoss(inputs.state.params, inputs.x, inputs.noise, settings);
      return {
        state: update(inputs.state.params, loss, inputs.state.adam, inputs.lr),
        loss,
        squared: squaredError(inputs.x, image),
      };
    });

  const noise = { gumbel: g.f32(batch, tokens, codes), temperature: g.f32() };
  return g.trace({ state: { ...state, usage: g.f32(codes) }, x, lr, ...noise }, (inputs) => {
    const model = inputs.state.params;
    const options = { ...settings, hard: phase === 'hard' };
    const { loss, image, index } = tokenizerLoss(model, inputs.x, inputs.gumbel, inputs.temperature, options);
    const shares = g.add(g.mul(inputs.state.usage, USAGE_DECAY), g.mul(codeShares(index, codes), 1 - USAGE_DECAY));
    const next = update(model, loss, inputs.state.adam, inputs.lr);
    return { state: { ...next, usage: shares }, loss, squared: squaredError(inputs.x, image), shares };
  });
}

/** The latents of pictures `x` as `rows` [batch, tokens, codeDim]. */
export function latentProgram({ imageSize, tokenizer: settings }: TokenizerRecipe): g.Program {
  const params = tokenizerParameters(settings, imageSize);
  const x = g.f32(settings.batch, 3, imageSize, imageSize);
  return g.trace({ state: { params }, x }, ({ state, x }) => ({
    rows: latentRows(state.params, encode(state.params.encoder, x, settings.normGroups), settings.normalizeLatents),
  }));
}
