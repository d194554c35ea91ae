/** The denoiser against the reference implementation: activations, logits, and every gradient. */

import { afterAll, describe, expect, it } from 'vitest';
import { fixture, fixturesPresent } from '../../test/support/fixtures.ts';
import * as g from '../graph/index.ts';
import { float32, int32, type NDArray } from '../ndarray.ts';
import { adopt } from '../nn/parameters.ts';
import { Engine } from '../runtime/engine.ts';
import { flatten } from '../tree.ts';
import { denoise, diffusionParameters, embedTokens, transformerBlock } from './transformer.ts';

const engine = Engine.start({ threads: 1 });
afterAll(() => engine.close());

interface Config {
  n_layer: number;
  n_embd: number;
  n_head: number;
  mlp_hidden_times: number;
  mlp_type: string;
  diffusion_step: number;
  content_spatial_size: [number, number];
}

/** rtol 1e-3 of each value plus atol 1e-4 of the largest, as the fixtures' README suggests for networks. */
function expectClose(got: ArrayLike<number>, expected: ArrayLike<number>, label: string, absolute = 2e-6): void {
  expect(got.length, label).toBe(expected.length);
  const largest = Math.max(...Array.from(expected, Math.abs));
  let excess = 0;
  for (let i = 0; i < expected.length; i++)
    excess = Math.max(
      excess,
      Math.abs(got[i]! - expected[i]!) - 1e-3 * Math.abs(expected[i]!) - 1e-4 * largest - absolute,
    );
  expect(excess, `${label}: beyond the tolerance`).toBeLessThanOrEqual(0);
}

describe.skipIf(!fixturesPresent)('transformer, fixtures/transformer', () => {
  it('matches activations, logits, loss and gradients', async () => {
    const file = fixture('transformer');
    const config = file.setting('config') as Config;
    const codes = file.number('K');
    const [batch, tokens] = file.tensor('tokens').shape as [number, number];
    const { transformer: specs } = diffusionParameters({
      layers: config.n_layer,
      dim: config.n_embd,
      heads: config.n_head,
      mlp: config.mlp_type === 'conv_mlp' ? 'conv' : 'fc',
      mlpRatio: config.mlp_hidden_times,
      timesteps: config.diffusion_step,
      codes,
      grid: config.content_spatial_size[0],
      conditionDim: file.tensor('cond').shape[1]!,
    });
    const stored: Record<string, NDArray> = {};
    for (const name of file.names)
      if (name.startsWith('params.')) stored[name.slice('params.'.length)] = file.tensor(name);
    const params = adopt(specs, stored, 'fixtures/transformer');
    const feeds = {
      tokens: int32(file.ints('tokens'), [batch, tokens]),
      t: int32(file.ints('t'), [batch]),
      condition: float32(Float32Array.from(file.floats('cond')), file.tensor('cond').shape),
      // stored as [batch, codes, tokens]
      R: float32(Float32Array.from(file.floats('R')), file.tensor('R').shape),
    };
    const program = await engine.compile(
      g.trace({ state: { params }, ...feeds }, ({ state: { params }, tokens, t, condition, R }) => {
        const activations: Record<string, g.Tensor> = {};
        let x = embedTokens(params.content_emb, tokens);
        activations.content_emb_out = x;
        Object.entries(params.blocks).forEach(([i, block]) => {
          x = transformerBlock(block, x, t, condition, config.n_head);
          activations[`block${i}_out`] = x;
        });
        const logits = g.transpose(denoise(params, tokens, t, condition, config.n_head), [0, 2, 1]);
        const loss = g.sum(g.mul(logits, R));
        return { activations, logits, loss, grads: g.grad(loss, params) };
      }),
    );
    await engine.load({ params });
    const out = await program.run(feeds);
    for (const name of ['content_emb_out', ...Array.from({ length: config.n_layer }, (_, i) => `block${i}_out`)])
      expectClose(out[`activations.${name}`]!.data, file.floats(name), name);
    expectClose(out.logits!.data, file.floats('logits'), 'logits');
    expectClose(out.loss!.data, file.floats('loss'), 'loss');
    for (const [name, { shape }] of Object.entries(flatten(specs))) {
      const got = out[`grads.${name}`]!.data;
      // Softmax does not see a bias of the keys: its gradient is zero but for rounding.
      const absolute = name.endsWith('attn.key.bias') ? 1e-5 : 2e-6;
      if (file.names.includes(`grads.${name}`))
        expectClose(got, file.floats(`grads.${name}`), `grads.${name}`, absolute);
      else {
        const head = file.floats(`grads.${name}.head8`);
        expectClose(got.slice(0, head.length), head, `grads.${name}.head8`);
        const norm = Math.sqrt(Array.from(got).reduce((n, x) => n + x * x, 0));
        expect(norm / file.floats(`grads.${name}.norm_sum`)[0]!, `norm of ${name} ${shape}`).toBeCloseTo(1, 3);
      }
    }
  });
});
