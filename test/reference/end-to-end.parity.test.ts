/**
 * From prompt tokens to pictures through the official weights: text embedding, guided chain, decoding, best of several.
 */

import { afterAll, beforeAll, it } from 'vitest';
import type { NDArray } from '../../src/base/ndarray.ts';
import { leaves } from '../../src/base/tree.ts';
import { DenoiserPool } from '../../src/diffusion/model.ts';
import { maskReplaceSchedule } from '../../src/diffusion/process/schedule.ts';
import { exactPlan, reverseChain } from '../../src/diffusion/samplers/chain.ts';
import { referenceDraw } from '../../src/diffusion/samplers/reference.ts';
import { onFixture } from '../support/fixtures.ts';
import { startKeepingEngine } from '../support/keeping-engine.ts';
import { compare, EXACT, NETWORK } from '../support/parity.ts';
import { ReferenceSystem } from '../support/reference-system.ts';
import { pairCosines } from './clip-score.ts';

onFixture(
  'end_to_end',
  (file) => {
    const engine = startKeepingEngine();
    const system = new ReferenceSystem(engine, file);
    const { config } = system;
    const guidanceScale = file.number('guidance_scale');
    const truncation = Number(/^top([\d.]+)r$/.exec(String(file.setting('sample_type')))![1]);
    const part = /-> *(ema)/.exec(String(file.setting('weights'))) ? 'ema' : 'model';
    const tokens = config.grid ** 2;
    const dim = config.conditionDim;
    let pool: DenoiserPool;

    beforeAll(async () => {
      await system.load();
      pool = await DenoiserPool.create(
        engine,
        config,
        leaves<NDArray>(system.checkpoint.diffusion(part, config)),
        'raw',
      );
    });
    afterAll(() => engine.close());

    /** Tokens [batch, tokens] for conditions [batch, dim], with recorded uniforms [T, batch, K + 1, tokens]. */
    async function sample(conditions: Float32Array, uniform: Float32Array | Float64Array): Promise<Int32Array> {
      const batch = conditions.length / dim;
      const perStep = uniform.length / config.timesteps;
      const options = {
        schedule: maskReplaceSchedule({ steps: config.timesteps, codes: config.codes }),
        batch,
        tokens,
        steps: config.timesteps,
        truncation,
        noise: { seed: 0, samples: Array.from({ length: batch }, (_, i) => i) },
      };
      const draw = referenceDraw((step) => uniform.subarray(step * perStep, (step + 1) * perStep), tokens);
      const plan = exactPlan(config.timesteps, config.timesteps);
      return reverseChain(await pool.denoiser(conditions, guidanceScale), options, draw, { plan });
    }

    if (!system.isWhole)
      console.warn('SKIPPED: texts and pictures of end_to_end, because its checkpoint has neither CLIP nor tokenizer');
    /** Conditions of the prompts: embedded here or, without a CLIP, as the file has them. */
    const conditions = async () =>
      Float32Array.from(
        system.isWhole ? (await system.embedTexts(file.feed('text_tokens'))).data : file.floats('text_embed'),
      );

    it.skipIf(!system.isWhole)('embeds texts and pictures', async () => {
      compare(
        'end_to_end',
        'text_embed',
        (await system.embedTexts(file.feed('text_tokens'))).data,
        file.floats('text_embed'),
        NETWORK,
      );
      compare(
        'end_to_end',
        'image0_embed',
        (await system.embedImages(file.feed('image0'))).data,
        file.floats('image0_embed'),
        NETWORK,
      );
    });

    it('makes one picture a prompt', async () => {
      const codes = await sample(await conditions(), file.floats('single.uniform'));
      compare('end_to_end', 'single.tokens', codes, file.ints('single.tokens'), EXACT);
      if (!system.isWhole) return;
      const { data } = await system.decode(codes);
      compare('end_to_end', 'single.images', data, file.floats('single.images'), NETWORK);
      compare('end_to_end', 'single.content', data, file.floats('single.content'), NETWORK);
    });

    it.each(file.matching(/^(best_of_\d+)\.tokens$/))('%s', async (name) => {
      const texts = await conditions();
      const [prompts, replicas] = file.tensor(`${name}.tokens`).shape as [number, number, number];
      const uniform = file.floats(`${name}.uniform`);
      const perPrompt = uniform.length / prompts;
      const repeated = Array.from({ length: prompts }, (_, p) =>
        Float32Array.from({ length: replicas * dim }, (_, i) => texts[p * dim + (i % dim)]!),
      );
      const codes: number[] = [];
      for (const [p, conditions] of repeated.entries()) {
        codes.push(...(await sample(conditions, uniform.subarray(p * perPrompt, (p + 1) * perPrompt))));
      }
      compare('end_to_end', 'best_of tokens', codes, file.ints(`${name}.tokens`), EXACT);

      if (!system.isWhole) return;
      const pictures = await system.decode(codes);
      compare('end_to_end', 'best_of images', pictures.data, file.floats(`${name}.images`), NETWORK);
      const embedded = await system.embedImages(pictures);
      const cosines = pairCosines(
        embedded.data,
        repeated.flatMap((rows) => [...rows]),
        dim,
      );
      compare('end_to_end', 'best_of cos_sim', cosines, file.floats(`${name}.cos_sim`), { absolute: 1e-4 });
      const best = repeated.map((_, p) => {
        const own = [...cosines.subarray(p * replicas, (p + 1) * replicas)];
        return own.indexOf(Math.max(...own));
      });
      compare('end_to_end', 'best_of best_index', best, file.ints(`${name}.best_index`), EXACT);
      const size = pictures.data.length / (prompts * replicas);
      const chosen = best.flatMap((replica, p) => [
        ...pictures.data.slice((p * replicas + replica) * size).slice(0, size),
      ]);
      compare('end_to_end', 'best_of content', chosen, file.floats(`${name}.content`), NETWORK);
    });
  },
  'checkpoints/index.json',
);
