/** The denoiser against the reference implementation: activations, logits, and every gradient. */

import { afterAll, expect, it } from 'vitest';
import { onFixture } from '../../test/support/fixtures.ts';
import { compareGradients } from '../../test/support/gradients.ts';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { compare, NETWORK } from '../../test/support/parity.ts';
import { referenceConfig, referenceWeights } from '../../test/support/reference-transformer.ts';
import * as g from '../graph/index.ts';
import { denoise, embedTokens, transformerBlock } from './transformer.ts';

const engine = startKeepingEngine();
afterAll(() => engine.close());

onFixture('transformer', (file) => {
  it('matches activations, logits, loss and gradients', async () => {
    const { heads } = referenceConfig(file);
    const params = referenceWeights(file);
    const feeds = { tokens: file.feed('tokens'), t: file.feed('t'), condition: file.feed('cond'), R: file.feed('R') };
    const program = await engine.compile(
      g.trace({ state: { params }, ...feeds }, ({ state: { params }, tokens, t, condition, R }) => {
        const activations: Record<string, g.Tensor> = {};
        let x = embedTokens(params.content_emb, tokens);
        activations.content_emb_out = x;
        Object.entries(params.blocks).forEach(([i, block]) => {
          x = transformerBlock(block, x, t, condition, heads);
          activations[`block${i}_out`] = x;
        });
        // Stored as [batch, codes, tokens].
        const logits = g.transpose(denoise(params, tokens, t, condition, heads), [0, 2, 1]);
        const loss = g.sum(g.mul(logits, R));
        return { activations: { ...activations, logits, loss }, grads: g.grad(loss, params) };
      }),
    );
    await engine.load({ params });
    const out = await program.run(feeds);
    const activations = Object.keys(out).filter((name) => name.startsWith('activations.'));
    for (const path of activations) {
      const name = path.slice('activations.'.length);
      compare('transformer', name, out[path]!.data, file.floats(name), NETWORK);
    }
    // Softmax does not see a bias of the keys: its gradient is zero but for rounding.
    const compared = compareGradients('transformer', file, 'grads', out, (name) => name.endsWith('attn.key.bias'));
    expect(compared).toBe(file.number('num_params'));
  });
});
