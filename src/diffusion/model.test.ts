/** The denoiser that samplers get: passes in parts against one picture at a time. */

import { afterAll, expect, it } from 'vitest';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { float32 } from '../base/ndarray.ts';
import { initializeEach } from '../nn/parameters.ts';
import { integers, normals } from '../random/noise.ts';
import { DenoiserPool } from './model.ts';
import { diffusionParameters, type TransformerConfig } from './transformer.ts';

const engine = startKeepingEngine();
afterAll(() => engine.close());

const config: TransformerConfig = {
  layers: 1,
  dim: 16,
  heads: 2,
  mlp: 'conv',
  mlpRatio: 2,
  timesteps: 10,
  codes: 7,
  grid: 16,
  conditionDim: 8,
};
const BATCH = 11;
const TOKENS = config.grid ** 2;

it.each([1, 2])(
  'predicts for a batch too large for one pass what it predicts for each picture (scale %d)',
  async (scale) => {
    const pool = await DenoiserPool.create(engine, config, initializeEach(diffusionParameters(config), 0));
    const key = (stream: string) => ({ seed: 5, stream, step: 0 });
    const conditions = Float32Array.from(normals(key('condition'), 0, BATCH * config.conditionDim));
    const tokens = Int32Array.from(integers(key('tokens'), 0, BATCH * TOKENS, config.codes + 1));
    const together = await (await pool.denoiser(conditions, scale))(tokens, 4);
    expect(together).toHaveLength(BATCH * TOKENS * config.codes);
    for (let i = 0; i < BATCH; i++) {
      const rows = <A extends Float32Array | Int32Array>(all: A, width: number) =>
        all.slice(i * width, (i + 1) * width) as A;
      const alone = await (await pool.denoiser(rows(conditions, config.conditionDim), scale))(rows(tokens, TOKENS), 4);
      const part = rows(together, TOKENS * config.codes);
      expect(Math.max(...alone.map((value, k) => Math.abs(value - part[k]!)))).toBeLessThan(1e-4);
    }
  },
);

it('counts passes, and leaves the null condition out of those without guidance', async () => {
  const weights = [...initializeEach(diffusionParameters(config), 0)].map(([path, array]) =>
    // NaN shows in the results of every pass that reads it.
    path === 'empty_text_embed'
      ? ([path, float32(new Float32Array(array.data.length).fill(Number.NaN), array.shape)] as const)
      : ([path, array] as const),
  );
  const pool = await DenoiserPool.create(engine, config, weights);
  const passes: boolean[] = [];
  const denoise = await pool.denoiser(
    new Float32Array(BATCH * config.conditionDim).fill(1),
    (t) => (t > 4 ? 1 : 2),
    (guided) => passes.push(guided),
  );
  const tokens = new Int32Array(BATCH * TOKENS).fill(config.codes);
  expect((await denoise(tokens, 5)).every(Number.isFinite)).toBe(true);
  expect((await denoise(tokens, 4)).some(Number.isNaN)).toBe(true);
  expect((await denoise(tokens, 7)).every(Number.isFinite)).toBe(true);
  expect(passes).toEqual([false, true, false]);
});
