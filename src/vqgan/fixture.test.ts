/** The tokenizer against the reference implementation: activations, codes, pictures, losses, and every gradient. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectClose } from '../../test/support/close.ts';
import { type Fixture, fixture, fixturesPresent } from '../../test/support/fixtures.ts';
import * as g from '../graph/index.ts';
import type { Tensor } from '../graph/index.ts';
import { float32, type NDArray, scalar, type Tree } from '../ndarray.ts';
import { embed } from '../nn/layers.ts';
import { adopt } from '../nn/parameters.ts';
import { Engine } from '../runtime/engine.ts';
import { flatten } from '../tree.ts';
import { decodeCodes, encodeCodes } from './codec.ts';
import { tokenizerLoss } from './loss.ts';
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

const REFERENCE_GROUPS = 32;

/** Everything a run needs, read from the file. */
function open() {
  const file = fixture('vqgan');
  const config = file.setting('ddconfig') as DdConfig;
  const shape: TokenizerShape = {
    patchSize: 1,
    channels: config.ch,
    channelMultipliers: config.ch_mult,
    residualBlocks: config.num_res_blocks,
    attentionResolutions: config.attn_resolutions,
    middleAttention: true,
    normGroups: REFERENCE_GROUPS,
    latentChannels: config.z_channels,
    codes: file.number('n_embed'),
    codeDim: file.number('embed_dim'),
  };
  const specs = tokenizerParameters(shape, config.resolution);
  const stored: Record<string, NDArray> = {};
  for (const name of file.names) if (name.startsWith('params.')) stored[name.slice('params.'.length)] = file.tensor(name);
  const options = { normGroups: REFERENCE_GROUPS, normalizeLatents: false, klWeight: file.number('kl_weight') };
  return { file, specs, params: adopt(specs, stored, 'fixtures/vqgan'), options };
}

const floats = (file: Fixture, name: string) => float32(Float32Array.from(file.floats(name)), file.tensor(name).shape);

/** [batch, n, h, w] to rows [batch, h·w, n], and back on the grid of `like`. */
const toRows = (x: Tensor): Tensor => g.transpose(g.reshape(x, [x.shape[0]!, x.shape[1]!, -1]), [0, 2, 1]);
const toGrid = (rows: Tensor, like: Tensor): Tensor =>
  g.reshape(g.transpose(rows, [0, 2, 1]), [rows.shape[0]!, rows.shape[2]!, like.shape[2]!, like.shape[3]!]);

describe.skipIf(!fixturesPresent)('tokenizer, fixtures/vqgan', () => {
  let opened: ReturnType<typeof open>;
  const engine = Engine.start({ threads: 1 });
  afterAll(() => engine.close());
  beforeAll(async () => {
    opened = open();
    await engine.load({ params: opened.params });
  });

  async function evaluate(feeds: Record<string, NDArray>, fn: (p: Tokenizer<Tensor>, feeds: Record<string, Tensor>) => Tree<Tensor>) {
    const program = g.trace({ state: { params: opened.params }, feeds }, ({ state, feeds }) => fn(state.params, feeds));
    return (await engine.compile(program)).run({ feeds });
  }

  it('has the parameters of the reference', () => {
    expect(Object.keys(flatten(opened.specs))).toHaveLength(opened.file.number('num_params'));
  });

  for (const hard of [false, true]) {
    const part = hard ? 'st' : 'soft';
    it(`matches the forward pass, ${part}`, async () => {
      const { file, options } = opened;
      const feeds = { x: floats(file, 'x'), gumbel: floats(file, 'gumbel'), temperature: scalar(file.number('temperature')) };
      const out = await evaluate(feeds, (p, { x, gumbel, temperature }) => {
        const h = encode(p.encoder, x!, options.normGroups);
        const rows = latentRows(p, h, false);
        const logits = codeLogits(p.quantize.proj, rows);
        const { weights, index } = gumbelSoftmax(logits, toRows(gumbel!), temperature!, hard);
        const quantized = g.matmul(weights, p.quantize.embed.weight);
        const postQuant = decoderInput(p, quantized);
        return {
          h,
          z: toGrid(rows, h),
          quant_logits: toGrid(logits, h),
          [part]: {
            one_hot: toGrid(weights, h),
            z_q: toGrid(quantized, h),
            ind: index,
            post_quant: postQuant,
            dec: decode(p.decoder, postQuant, options.normGroups),
          },
          diff: g.mul(uniformDivergence(logits), options.klWeight),
        };
      });
      const { [`${part}.ind`]: index, ...activations } = out;
      expect([...index!.data]).toEqual([...file.ints(`${part}.ind`)]);
      for (const [name, { data }] of Object.entries(activations)) expectClose(data, file.floats(name), name);
    });

    it(`matches the loss and its gradients, ${part}`, async () => {
      const { file, options } = opened;
      const feeds = { x: floats(file, 'x'), gumbel: floats(file, 'gumbel'), temperature: scalar(file.number('temperature')) };
      const program = g.trace({ state: { params: opened.params }, feeds }, ({ state: { params }, feeds: { x, gumbel, temperature } }) => {
        const { loss, image } = tokenizerLoss(params, x, toRows(gumbel), temperature, { ...options, hard });
        return { loss, image, grads: g.grad(loss, params) };
      });
      const out = await (await engine.compile(program)).run({ feeds });
      const name = hard ? 'train' : 'train_soft';
      expectClose(out.loss!.data, file.floats(`${name}.loss`), 'loss');
      expectClose(out.image!.data, file.floats(`${name}.xrec`), 'picture');
      const compared = expectGradients(file, `grads_${part}`, out);
      expect(compared).toBe(new Set(file.names.filter((n) => n.startsWith(`grads_${part}.`)).map((n) => n.replace(/\.(head8|norm_sum)$/, ''))).size);
      if (hard) expect(compared).toBe(file.number('num_params'));
    });
  }

  it('encodes by the most likely code and decodes it', async () => {
    const { file, options } = opened;
    const out = await evaluate({ x: floats(file, 'x') }, (p, { x }) => {
      const codes = encodeCodes(p, x!, options);
      return { codes, image: decodeCodes(p, codes, options.normGroups) };
    });
    expect([...out.codes!.data]).toEqual([...file.ints('argmax_ind')]);
    expectClose(out.image!.data, file.floats('argmax.rec'), 'argmax.rec');
  });

  it('draws codes with noise as the reference does when it evaluates', async () => {
    const { file, options } = opened;
    const feeds = { x: floats(file, 'x'), gumbel: floats(file, 'eval_gumbel') };
    const out = await evaluate(feeds, (p, { x, gumbel }) => {
      const codes = noisyCodes(p, x!, gumbel!, options.normGroups);
      const h = encode(p.encoder, x!, options.normGroups);
      return { codes, quantized: toGrid(embed(p.quantize.embed, codes), h), image: decodeCodes(p, codes, options.normGroups) };
    });
    expect([...out.codes!.data]).toEqual([...file.ints('eval.ind')]);
    expectClose(out.quantized!.data, file.floats('eval.z_q'), 'eval.z_q');
    expectClose(out.image!.data, file.floats('eval.rec'), 'eval.rec');
  });

  it('matches the codec from bytes to codes to bytes', async () => {
    const { file, options } = opened;
    const bytes = file.floats('codec.image255');
    const x = float32(Float32Array.from(bytes, (b) => (2 * b) / 255 - 1), file.tensor('codec.image255').shape);
    const out = await evaluate({ x, gumbel: floats(file, 'codec.gumbel') }, (p, { x, gumbel }) => {
      const codes = noisyCodes(p, x!, gumbel!, options.normGroups);
      return { codes, image: decodeCodes(p, codes, options.normGroups) };
    });
    expect([...out.codes!.data]).toEqual([...file.ints('codec.token')]);
    const decoded = Float32Array.from(out.image!.data, (v) => ((Math.min(1, Math.max(-1, v)) + 1) / 2) * 255);
    expectClose(decoded, file.floats('codec.decoded255'), 'codec.decoded255');
  });
});

/** arg max(logits + noise), the draw the reference makes at temperature 1. */
function noisyCodes(p: Tokenizer<Tensor>, x: Tensor, gumbel: Tensor, groups: number): Tensor {
  const logits = codeLogits(p.quantize.proj, latentRows(p, encode(p.encoder, x, groups), false));
  return g.argmax(g.add(logits, toRows(gumbel)), -1);
}

/** Compare all gradients the file holds under a prefix, whole or as their first slices and norm; returns how many. */
function expectGradients(file: Fixture, prefix: string, out: Readonly<Record<string, NDArray>>): number {
  const zero = new Set(file.setting('zero_grad_params') as string[]);
  let compared = 0;
  for (const [path, { data }] of Object.entries(out)) {
    if (!path.startsWith('grads.')) continue;
    const name = path.slice('grads.'.length);
    const stored = `${prefix}.${name}`;
    if (file.names.includes(stored)) expectClose(data, file.floats(stored), stored, zero.has(name) ? 1e-5 : 2e-6);
    else if (file.names.includes(`${stored}.head8`)) {
      const head = file.floats(`${stored}.head8`);
      expectClose(data.slice(0, head.length), head, `${stored}.head8`);
      const [norm, sum] = [...file.floats(`${stored}.norm_sum`)] as [number, number];
      expect(Math.hypot(...data) / norm, `norm of ${stored}`).toBeCloseTo(1, 3);
      // By Cauchy and Schwarz, what a relative error of 1e-4 in the gradient may do to its sum.
      const total = [...data].reduce((a, b) => a + b, 0);
      expect(Math.abs(total - sum), `sum of ${stored}`).toBeLessThan(1e-4 * norm * Math.sqrt(data.length) + 1e-3 * Math.abs(sum));
    } else continue;
    compared++;
  }
  return compared;
}
