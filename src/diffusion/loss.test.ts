/** The loss graph against the reference implementation's numbers and gradients. */

import { afterAll, describe, expect, it } from 'vitest';
import { fixture, fixturesPresent } from '../../test/support/fixtures.ts';
import * as g from '../graph/index.ts';
import { float32, int32 } from '../ndarray.ts';
import { Engine } from '../runtime/engine.ts';
import { diffusionLoss } from './loss.ts';
import { maskReplaceSchedule } from './schedule.ts';

const engine = Engine.start({ threads: 1 });
afterAll(() => engine.close());

interface Case {
  K: number;
  L: number;
  T: number;
  B: number;
  mask_weight: [number, number];
  auxiliary_loss_weight: number;
}

/** [batch, classes, tokens] to [batch, tokens, classes]. */
function tokenMajor(data: ArrayLike<number>, batch: number, classes: number, tokens: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let b = 0; b < batch; b++)
    for (let k = 0; k < classes; k++)
      for (let n = 0; n < tokens; n++) out[(b * tokens + n) * classes + k] = data[(b * classes + k) * tokens + n]!;
  return out;
}

describe.skipIf(!fixturesPresent)('diffusion loss, fixtures/diffusion', () => {
  const file = fixturesPresent ? fixture('diffusion') : undefined;
  const names = [...new Set((file?.names ?? []).map((name) => name.split('.')[0]!))];

  it.each(names)('case %s', async (name) => {
    const { K, L, T, B, mask_weight, auxiliary_loss_weight } = file!.setting(name) as Case;
    const schedule = maskReplaceSchedule({ steps: T, codes: K });
    const feeds = {
      logits: float32(tokenMajor(file!.floats(`${name}.logits`), B, K, L), [B, L, K]),
      x0: int32(file!.ints(`${name}.x0`), [B, L]),
      xt: int32(file!.ints(`${name}.x_t`), [B, L]),
      t: int32(file!.ints(`${name}.t`), [B]),
      pt: float32(Float32Array.from(file!.floats(`${name}.pt`)), [B]),
    };
    const program = await engine.compile(
      g.trace(feeds, (inputs) => {
        const out = diffusionLoss(inputs, schedule, {
          auxiliaryWeight: auxiliary_loss_weight,
          maskWeights: mask_weight,
        });
        return { ...out, gradient: g.grad(out.loss, inputs.logits) };
      }),
    );
    const out = await program.run(feeds);
    const near = (key: string, expected: ArrayLike<number>, relative: number, absolute: number) => {
      const got = out[key]!.data;
      const largest = Math.max(...Array.from(expected, Math.abs));
      let worst = 0;
      for (let i = 0; i < expected.length; i++) worst = Math.max(worst, Math.abs(got[i]! - expected[i]!));
      expect(got.length).toBe(expected.length);
      expect(worst, `${name}.${key}: worst error, largest value ${largest}`).toBeLessThanOrEqual(
        relative * largest + absolute,
      );
    };
    near('kl', file!.floats(`${name}.kl_loss`), 2e-6, 1e-6);
    near('bound', file!.floats(`${name}.vb_loss`), 2e-6, 1e-6);
    near('loss', file!.floats(`${name}.loss`), 2e-6, 1e-6);
    near('gradient', tokenMajor(file!.floats(`${name}.grad_logits`), B, K, L), 1e-5, 1e-6);
  });
});
