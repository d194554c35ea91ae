import { afterAll, describe, expect, it } from 'vitest';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { float32, int32, type NDArray } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import * as g from '../graph/index.ts';
import { initialize, type Parameter } from '../nn/parameters.ts';
import { integers, normals } from '../random/noise.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { embedFolded, unfold } from './fold.ts';
import { denoise, diffusionParameters, type TransformerConfig } from './transformer.ts';

const engine = startKeepingEngine();
afterAll(() => engine.close());

const run = async (program: g.Program, feeds: Parameters<Awaited<ReturnType<typeof engine.compile>>['run']>[0]) =>
  (await engine.compile(program)).run(feeds);

describe('folding', () => {
  it('brings the logits of each place of a square to its token', async () => {
    const [side, codes] = [3, 2];
    // Each logit of a square is the number of the token that it belongs to, in a grid of 6x6 counted row by row.
    const logits = Array.from({ length: side ** 2 }, (_, square) =>
      [0, 1, 6, 7].flatMap((place) => Array(codes).fill(12 * Math.floor(square / side) + 2 * (square % side) + place)),
    ).flat();
    const program = g.trace({ x: g.f32(1, 9, 4 * codes) }, ({ x }) => ({ y: unfold(x, 36) }));
    const { y } = await run(program, { x: float32(logits, [1, 9, 4 * codes]) });
    expect(y!.shape).toEqual([1, 36, codes]);
    expect([...y!.data]).toEqual(Array.from({ length: 36 * codes }, (_, i) => Math.floor(i / codes)));
  });

  it('embeds each token by the table of its place', async () => {
    const rows = 5;
    // The table of place p says 100 p + code; a square's embedding is the sum over its four tokens.
    const weight = Array.from({ length: 4 * rows }, (_, i) => 100 * Math.floor(i / rows) + (i % rows));
    const tokens = Int32Array.from({ length: 16 }, (_, i) => i % rows);
    const program = g.trace({ ids: g.i32(1, 16), weight: g.f32(4 * rows, 1) }, (inputs) => ({
      y: embedFolded({ weight: inputs.weight }, inputs.ids, 2),
    }));
    const { y } = await run(program, { ids: int32(tokens, [1, 16]), weight: float32(weight, [4 * rows, 1]) });
    const square = (at: readonly number[]) => at.reduce((sum, i, place) => sum + 100 * place + tokens[i]!, 0);
    expect([...y!.data]).toEqual(
      [
        [0, 1, 4, 5],
        [2, 3, 6, 7],
        [8, 9, 12, 13],
        [10, 11, 14, 15],
      ].map(square),
    );
  });
});

describe('a folded transformer', () => {
  const config: TransformerConfig = {
    ...{ layers: 1, dim: 8, heads: 2, mlp: 'conv', mlpRatio: 2, timesteps: 4, codes: 5, grid: 4, conditionDim: 6 },
    fold: 2,
  };
  const parameters = diffusionParameters(config).transformer;
  const params = initialize(parameters, 1);
  const key = { seed: 2, stream: 'fold', step: 0 };
  const feeds = {
    params,
    tokens: int32(Int32Array.from(integers(key, 0, 32, 6)), [2, 16]),
    t: int32([1, 3], [2]),
    condition: float32(Float32Array.from(normals(key, 0, 12)), [2, 6]),
  };
  const inputs = { params: parameters, tokens: g.i32(2, 16), t: g.i32(2), condition: g.f32(2, 6) };

  it('predicts every token, and its gradient reaches every parameter', async () => {
    const program = g.trace(inputs, ({ params, tokens, t, condition }) => {
      const logits = denoise(params, tokens, t, condition, config.heads);
      return { logits, gradients: g.grad(g.sum(g.square(g.softmax(logits))), params) };
    });
    const { logits, ...gradients } = await run(program, feeds);
    expect(logits!.shape).toEqual([2, 16, 5]);
    expect(Object.keys(gradients)).toHaveLength(Object.keys(flatten<NDArray>(params)).length);
    for (const [name, { data }] of Object.entries(gradients))
      expect(Math.max(...Array.from(data, (x) => Math.abs(Number(x)))), name).toBeGreaterThan(0);
  });

  it('has a quarter of the positions, and four tables', () => {
    const shapes = Object.fromEntries(
      Object.entries(flatten<Parameter>(parameters)).map(([name, { shape }]) => [name, shape]),
    );
    expect(shapes['content_emb.height_emb.weight']).toEqual([2, 8]);
    expect(shapes['content_emb.emb.weight']).toEqual([4 * 6, 8]);
    expect(shapes['to_logits.1.weight']).toEqual([4 * 5, 8]);
  });

  it('is the network of always where nothing is folded', () => {
    const plain = { ...config, fold: undefined };
    expect(diffusionParameters({ ...config, fold: 1 })).toEqual(diffusionParameters(plain));
    expect(Object.keys(flatten(diffusionParameters(config)))).toEqual(Object.keys(flatten(diffusionParameters(plain))));
  });
});

it('is refused where the grid is odd', () => {
  const odd = { imageSize: '72', 'diffusion.fold': '2' };
  expect(() => makeRecipe('nano', odd)).toThrow(/diffusion.fold 2 does not divide a grid of 9x9 tokens/);
  expect(() => makeRecipe('nano', { ...odd, imageSize: '64' })).not.toThrow();
});
