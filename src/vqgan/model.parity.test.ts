/** The tokenizer against the reference implementation: activations, codes, pictures, losses, and every gradient. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Fixture, onFixture } from '../../test/support/fixtures.ts';
import { compareGradients } from '../../test/support/gradients.ts';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { compare, EXACT, NETWORK } from '../../test/support/parity.ts';
import { float32, type NDArray, scalar, type Tree } from '../base/ndarray.ts';
import { mapTree } from '../base/tree.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { kernelLayout } from '../nn/kernel-layout.ts';
import { embed } from '../nn/layers.ts';
import { adopt } from '../nn/parameters.ts';
import { decodeCodes, encodeCodes } from './codec.ts';
import { absoluteError, plainLoss, reconstruct } from './loss.ts';
import { decode, encode, type Tokenizer, type TokenizerShape, tokenizerParameters } from './model.ts';
import { codeLogits, decoderInput, gumbelSoftmax, latentRows, uniformDivergence } from './quantizer.ts';

interface DdConfig {
  z_channels: number;
  resolution: number;
  ch: number;
  ch_mult: number[];
  num_res_blocks: number;
  attn_resolutions: number[];
}

/** The reference's, fixed in its code. */
const normGroups = 32;

function referenceTokenizer(file: Fixture) {
  const config = file.setting('ddconfig') as DdConfig;
  const shape: TokenizerShape = {
    patchSize: 1,
    channels: config.ch,
    channelMultipliers: config.ch_mult,
    residualBlocks: config.num_res_blocks,
    attentionResolutions: config.attn_resolutions,
    middleAttention: true,
    normGroups,
    latentChannels: config.z_channels,
    codes: file.number('n_embed'),
    codeDim: file.number('embed_dim'),
  };
  return adopt(tokenizerParameters(shape, config.resolution), file.under('params.'), 'fixtures/vqgan');
}

/** Weights as files have them, as the network reads them. */
const held = (params: Tokenizer<Tensor>): Tokenizer<Tensor> =>
  mapTree<Tensor, Tensor>(params, (t) => (t.shape[2] === 3 ? kernelLayout(t) : t)) as Tokenizer<Tensor>;

/** [batch, n, h, w] to rows [batch, h·w, n], and back on the grid of `like`. */
const toRows = (x: Tensor): Tensor => g.transpose(g.reshape(x, [x.shape[0]!, x.shape[1]!, -1]), [0, 2, 1]);
const toGrid = (rows: Tensor, like: Tensor): Tensor =>
  g.reshape(g.transpose(rows, [0, 2, 1]), [rows.shape[0]!, rows.shape[2]!, like.shape[2]!, like.shape[3]!]);

/** How the reference encodes: with noise, and latents as they are. */
const noisyCodes = (p: Tokenizer<Tensor>, x: Tensor, gumbel: Tensor): Tensor =>
  encodeCodes(p, x, { normGroups, normalizeLatents: false }, toRows(gumbel));

onFixture('vqgan', (file) => {
  const params = referenceTokenizer(file);
  const zero = new Set(file.setting('zero_grad_params') as string[]);
  const temperature = scalar(file.number('temperature'));
  const klWeight = file.number('kl_weight');

  const engine = startKeepingEngine();
  afterAll(() => engine.close());
  beforeAll(() => engine.load({ params }));

  async function evaluate<F extends Record<string, NDArray>>(
    feeds: F,
    fn: (p: Tokenizer<Tensor>, feeds: { [K in keyof F]: Tensor }, stored: Tokenizer<Tensor>) => Tree<Tensor>,
  ): Promise<Record<string, NDArray>> {
    const program = g.trace({ state: { params }, feeds: feeds as Record<string, NDArray> }, ({ state, feeds }) =>
      fn(held(state.params), feeds as { [K in keyof F]: Tensor }, state.params),
    );
    return (await engine.compile(program)).run({ feeds });
  }

  function compareAll(out: Readonly<Record<string, NDArray>>): void {
    for (const [name, { dtype, data }] of Object.entries(out))
      if (dtype === 'int32') compare('vqgan', name, data, file.ints(name), EXACT);
      else compare('vqgan', name, data, file.floats(name), NETWORK);
  }

  it.each([
    ['soft', false],
    ['st', true],
  ] as const)('matches the forward pass, %s', async (part, hard) => {
    const feeds = { x: file.feed('x'), gumbel: file.feed('gumbel'), temperature };
    const out = await evaluate(feeds, (p, { x, gumbel, temperature }) => {
      const h = encode(p.encoder, x, normGroups);
      const rows = latentRows(p, h, false);
      const logits = codeLogits(p.quantize.proj, rows);
      const { weights, index } = gumbelSoftmax(logits, toRows(gumbel), temperature, hard);
      const quantized = g.matmul(weights, p.quantize.embed.weight);
      const postQuant = decoderInput(p, quantized);
      const chosen = {
        one_hot: toGrid(weights, h),
        z_q: toGrid(quantized, h),
        ind: index,
        post_quant: postQuant,
        dec: decode(p.decoder, postQuant, normGroups),
      };
      const diff = g.mul(uniformDivergence(logits), klWeight);
      return { h, z: toGrid(rows, h), quant_logits: toGrid(logits, h), diff, [part]: chosen };
    });
    compareAll(out);
  });

  it.each([
    ['train_soft', 'grads_soft', false],
    ['train', 'grads_st', true],
  ] as const)('matches the loss and its gradients, %s', async (part, prefix, hard) => {
    const feeds = { x: file.feed('x'), gumbel: file.feed('gumbel'), temperature };
    const out = await evaluate(feeds, (p, { x, gumbel, temperature }, stored) => {
      const options = { normGroups, normalizeLatents: false, klWeight, hard };
      const reconstruction = reconstruct(p, x, toRows(gumbel), temperature, options);
      const { image } = reconstruction;
      const loss = plainLoss(absoluteError(x, image), reconstruction);
      return { [part]: { loss, xrec: image }, grads: g.grad(loss, stored) };
    });
    compareAll(Object.fromEntries(Object.entries(out).filter(([name]) => name.startsWith(`${part}.`))));
    const compared = compareGradients('vqgan', file, prefix, out, (name) => zero.has(name));
    const stored = file.names.filter((name) => name.startsWith(`${prefix}.`) && !name.endsWith('.norm_sum'));
    expect(compared).toBe(stored.length);
    if (hard) expect(compared).toBe(file.number('num_params'));
  });

  it('encodes by the most likely code and decodes it', async () => {
    const out = await evaluate({ x: file.feed('x') }, (p, { x }) => {
      const codes = encodeCodes(p, x, { normGroups, normalizeLatents: false });
      return { argmax_ind: codes, argmax: { rec: decodeCodes(p, codes, normGroups) } };
    });
    compareAll(out);
  });

  it('draws codes with noise as the reference does when it evaluates', async () => {
    const out = await evaluate({ x: file.feed('x'), gumbel: file.feed('eval_gumbel') }, (p, { x, gumbel }) => {
      const ind = noisyCodes(p, x, gumbel);
      const quantized = toGrid(embed(p.quantize.embed, ind), encode(p.encoder, x, normGroups));
      return { eval: { ind, z_q: quantized, rec: decodeCodes(p, ind, normGroups) } };
    });
    compareAll(out);
  });

  it('goes from bytes to codes to bytes', async () => {
    const bytes = file.tensor('codec.image255');
    const x = float32(
      Float32Array.from(bytes.data, (b) => (2 * b) / 255 - 1),
      bytes.shape,
    );
    const out = await evaluate({ x, gumbel: file.feed('codec.gumbel') }, (p, { x, gumbel }) => {
      const token = noisyCodes(p, x, gumbel);
      const clamped = g.clamp(decodeCodes(p, token, normGroups), -1, 1);
      return { codec: { token, decoded255: g.mul(g.add(clamped, 1), 255 / 2) } };
    });
    compareAll(out);
  });
});
