/**
 * The discriminator and the adversarial losses against the reference implementation: logits, statistics, losses, every
 * gradient.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { discriminateEvaluation } from '../../test/reference/discriminator.ts';
import { onFixture } from '../../test/support/fixtures.ts';
import { compareGradients } from '../../test/support/gradients.ts';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { compare, EXACT, NETWORK } from '../../test/support/parity.ts';
import { float32, type NDArray, scalar, type Tree } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { BATCH_NORM_EPS, BATCH_NORM_MOMENTUM } from '../nn/batch-norm.ts';
import { conv } from '../nn/layers.ts';
import { adopt } from '../nn/parameters.ts';
import { adaptiveWeight, discriminatorLoss, generatorLoss } from './adversarial.ts';
import {
  type Discriminator,
  type DiscriminatorBuffers,
  discriminate,
  discriminatorBuffers,
  discriminatorParameters,
  LEAKY_SLOPE,
} from './discriminator.ts';
import { absoluteError, balancedLoss, plainLoss } from './loss.ts';
import { discriminatorPhaseAt } from './schedule.ts';

interface AdaptiveExample {
  nll_norm: number;
  g_norm: number;
  disc_weight: number;
  d_weight: number;
}

interface AdoptExample {
  weight: number;
  global_step: number;
  threshold: number;
  value: number;
  out: number;
}

type State = { readonly params: Discriminator<Tensor>; readonly buffers: DiscriminatorBuffers<Tensor> };

onFixture('discriminator', (file) => {
  const shape = {
    discriminatorLayers: file.number('n_layers'),
    discriminatorChannels: file.number('ndf'),
  };
  const wanted = { params: discriminatorParameters(shape), buffers: discriminatorBuffers(shape) };
  // The count of batches is an integer there and a float here; scalars may be stored as [1].
  const floats = (arrays: Readonly<Record<string, NDArray>>) =>
    Object.entries(arrays).map(([name, { data, shape }]): [string, NDArray] => [
      name,
      float32(Float32Array.from(data), name.endsWith('num_batches_tracked') ? [] : shape),
    ]);
  const stored = floats(file.under('params.'));
  const part = (names: Tree<NDArray | { dtype: 'float32'; shape: readonly number[] }>) =>
    Object.fromEntries(stored.filter(([name]) => name in flatten(names)));
  const params = adopt(wanted.params, part(wanted.params), 'fixtures/discriminator');
  const buffers = adopt(wanted.buffers, part(wanted.buffers), 'fixtures/discriminator');

  const engine = startKeepingEngine();
  afterAll(() => engine.close());
  beforeAll(() => engine.load({ params, buffers }));

  async function evaluate<F extends Record<string, NDArray>>(
    feeds: F,
    fn: (state: State, feeds: { [K in keyof F]: Tensor }) => Tree<Tensor>,
  ): Promise<Record<string, NDArray>> {
    const program = g.trace({ state: { params, buffers }, feeds: feeds as Record<string, NDArray> }, (inputs) =>
      fn(inputs.state, inputs.feeds as { [K in keyof F]: Tensor }),
    );
    return (await engine.compile(program)).run({ feeds });
  }

  function compareAll(out: Readonly<Record<string, NDArray>>): void {
    for (const [name, { data }] of Object.entries(out))
      compare('discriminator', name, data, file.floats(name), NETWORK);
  }

  const pictures = { real: file.feed('real'), fake: file.feed('fake') };

  it('has the constants of the reference, and nothing else in its file', () => {
    expect(stored.map(([name]) => name).sort()).toEqual(
      [...Object.keys(flatten<NDArray>(params)), ...Object.keys(flatten<NDArray>(buffers))].sort(),
    );
    expect([BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, LEAKY_SLOPE]).toEqual(
      ['bn_eps', 'bn_momentum', 'leaky_slope'].map((name) => file.number(name)),
    );
  });

  it.each(['hinge', 'vanilla'] as const)('gives logits and losses in training, %s', async (kind) => {
    const out = await evaluate(pictures, ({ params, buffers }, { real, fake }) => {
      const first = discriminate(params, buffers, real);
      const second = discriminate(params, first.buffers, fake);
      const loss = discriminatorLoss(kind, first.logits, second.logits);
      return {
        stored: { logits_real: first.logits, logits_fake: second.logits, [`${kind}_d_loss`]: loss },
        after: second.buffers,
        grads: g.grad(loss, params),
      };
    });
    const under = (prefix: string) =>
      Object.entries(out).flatMap(([name, array]): [string, NDArray][] =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), array]] : [],
      );
    compareAll(Object.fromEntries(under('stored.')));
    for (const [name, { data }] of under('after.'))
      if (name.endsWith('num_batches_tracked'))
        compare('discriminator', 'after, batches', data, file.ints(`after.${name}`), EXACT);
      else compare('discriminator', 'after', data, file.floats(`after.${name}`), NETWORK);
    const compared = compareGradients('discriminator', file, `grads_${kind}`, out, () => false);
    const gradients = file.names.filter((name) => name.startsWith(`grads_${kind}.`) && !name.endsWith('.norm_sum'));
    expect(compared).toBe(gradients.length);
  });

  it('gives logits after training by the running statistics', async () => {
    const after = adopt(wanted.buffers, Object.fromEntries(floats(file.under('after.'))), 'fixtures/discriminator');
    const { real } = pictures;
    const program = g.trace({ state: { params }, after, real }, ({ state, after, real }) => ({
      eval_logits_real: discriminateEvaluation(state.params, after, real),
    }));
    compareAll(await (await engine.compile(program)).run({ after, real }));
  });

  it('moves the pictures', async () => {
    const out = await evaluate({ fake: pictures.fake }, ({ params, buffers }, { fake }) => {
      const loss = generatorLoss(discriminate(params, buffers, fake).logits);
      return { g_loss: loss, g_loss_grad_fake: g.grad(loss, fake) };
    });
    compareAll(out);
  });

  describe.each(['hinge', 'vanilla'] as const)('the whole loss, %s', (kind) => {
    const stored = (name: string) => `vqloss.${kind}.${name}`;
    const feeds = {
      real: pictures.real,
      feat: file.feed(stored('feat')),
      W: file.feed(stored('W')),
      b: file.feed(stored('b')),
      codebook: scalar(file.number('codebook_loss') * file.number('codebook_weight')),
    };
    const steps = file.matching(new RegExp(`^vqloss\\.${kind}\\.step(\\d+)\\.`)).map(Number);
    const factor = file.number('disc_factor');
    const weight = file.number('disc_weight') * factor;
    const start = file.number('disc_start');

    it.each(steps)('gives the same loss at step %i', async (step) => {
      const out = await evaluate(feeds, (state, inputs) => wholeLoss(state, inputs, step));
      compareAll(out);
      // A discriminator that is off has no loss there.
      if (discriminatorPhaseAt(gate, step) === 'off')
        compare(
          'discriminator',
          stored(`step${step}.loss_opt1`),
          [0],
          file.floats(stored(`step${step}.loss_opt1`)),
          EXACT,
        );
    });

    /** The reference's gate by an absolute step, as a share of a run. */
    const gate = {
      steps: 2 * start,
      discriminatorWeight: weight,
      discriminatorStart: 0.5,
      discriminatorWarmup: 0,
    };

    function wholeLoss(
      { params, buffers }: State,
      { real, feat, W, b, codebook }: Record<keyof typeof feeds, Tensor>,
      step: number,
    ): Tree<Tensor> {
      const image = g.tanh(conv({ weight: W, bias: b }, feat, { pads: 1 }));
      const reconstruction = { image, divergence: codebook };
      const likelihood = absoluteError(real, image);
      const adversarial = generatorLoss(discriminate(params, buffers, image).logits);
      const balanced = balancedLoss(likelihood, reconstruction, { adversarial, lastLayer: W, weight });
      const counts = discriminatorPhaseAt(gate, step) === 'active';
      const loss = counts ? balanced.loss : plainLoss(likelihood, reconstruction);
      const first = discriminate(params, buffers, real);
      const second = discriminate(params, first.buffers, image);
      return {
        vqloss: {
          [kind]: {
            [`step${step}`]: {
              loss_opt0: loss,
              // Our weight has the factor in it.
              d_weight: g.mul(balanced.adaptive, 1 / factor),
              g_loss: adversarial,
              nll_loss: likelihood,
              grad_last_layer: g.grad(loss, W),
              ...(counts && { loss_opt1: g.mul(discriminatorLoss(kind, first.logits, second.logits), factor) }),
              mean_logits_real: g.mean(first.logits),
              mean_logits_fake: g.mean(second.logits),
            },
            rec: image,
          },
          // The file has these of one of the two alone.
          ...(kind === 'hinge' && {
            nll_grad_last_layer: g.grad(likelihood, W),
            g_grad_last_layer: g.grad(adversarial, W),
          }),
        },
      };
    }
  });

  it('weighs the two gradients', async () => {
    const examples = file.setting('adaptive_weight_examples') as AdaptiveExample[];
    expect(examples.length).toBeGreaterThan(0);
    const numbers = (values: number[]) => float32(values, [values.length]);
    const program = g.trace({ nll: numbers(examples.map(() => 0)), game: numbers(examples.map(() => 0)) }, (norms) => ({
      weights: adaptiveWeight(norms.nll, norms.game, 1),
    }));
    const { weights } = await (await engine.compile(program)).run({
      nll: numbers(examples.map(({ nll_norm }) => nll_norm)),
      game: numbers(examples.map(({ g_norm }) => g_norm)),
    });
    const got = examples.map(({ disc_weight }, i) => weights!.data[i]! * disc_weight);
    const expected = examples.map(({ d_weight }) => d_weight);
    compare('discriminator', 'adaptive_weight_examples', got, expected, { relative: 1e-6 });
  });

  it('opens the gate at the same step', () => {
    // Settings speak of shares of a run; before the gate the weight of ours is always 0.
    const examples = (file.setting('adopt_weight_examples') as AdoptExample[]).filter(({ value }) => value === 0);
    expect(examples.length).toBeGreaterThan(0);
    const got = examples.map(({ weight, global_step, threshold }) => {
      const steps = 2 * Math.max(1, threshold);
      const gate = { steps, discriminatorWeight: 1, discriminatorStart: threshold / steps, discriminatorWarmup: 0 };
      return discriminatorPhaseAt(gate, global_step) === 'active' ? weight : 0;
    });
    compare(
      'discriminator',
      'adopt_weight_examples',
      got,
      examples.map(({ out }) => out),
      EXACT,
    );
  });
});
