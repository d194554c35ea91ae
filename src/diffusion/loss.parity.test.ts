/** The loss graph against the reference implementation's numbers and gradients. */

import { afterAll, it } from 'vitest';
import { codesOf, eachToken } from '../../test/support/class-rows.ts';
import { onFixture } from '../../test/support/fixtures.ts';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { compare } from '../../test/support/parity.ts';
import { float32, int32 } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { diffusionLoss, logPrediction } from './loss.ts';
import { maskReplaceSchedule } from './process/schedule.ts';

const engine = startKeepingEngine();
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

onFixture('diffusion', (file) => {
  it.each(file.matching(/^(\w+)\.logits$/))('loss of case %s', async (name) => {
    const { K, L, T, B, mask_weight, auxiliary_loss_weight } = file.setting(name) as Case;
    const schedule = maskReplaceSchedule({ steps: T, codes: K });
    const feeds = {
      logits: float32(tokenMajor(file.floats(`${name}.logits`), B, K, L), [B, L, K]),
      x0: int32(file.ints(`${name}.x0`), [B, L]),
      xt: int32(file.ints(`${name}.x_t`), [B, L]),
      t: int32(file.ints(`${name}.t`), [B]),
      pt: float32(Float32Array.from(file.floats(`${name}.pt`)), [B]),
    };
    const program = await engine.compile(
      g.trace(feeds, (inputs) => {
        const out = diffusionLoss(inputs, schedule, {
          auxiliaryWeight: auxiliary_loss_weight,
          maskWeights: mask_weight,
        });
        return { ...out, logX0: logPrediction(inputs.logits), gradient: g.grad(out.loss, inputs.logits) };
      }),
    );
    const out = await program.run(feeds);
    const recon = eachToken(file.tensor(`${name}.log_x0_recon`)).flatMap((row) => [...codesOf(row)]);
    compare('diffusion', 'log_x0_recon', out.logX0!.data, recon, { absolute: 1e-5 });
    compare('diffusion', 'kl_loss', out.kl!.data, file.floats(`${name}.kl_loss`), { ofLargest: 2e-6, absolute: 1e-6 });
    compare('diffusion', 'vb_loss', out.bound!.data, file.floats(`${name}.vb_loss`), {
      ofLargest: 2e-6,
      absolute: 1e-6,
    });
    compare('diffusion', 'loss', out.loss!.data, file.floats(`${name}.loss`), { ofLargest: 2e-6, absolute: 1e-6 });
    const gradient = tokenMajor(file.floats(`${name}.grad_logits`), B, K, L);
    compare('diffusion', 'grad_logits', out.gradient!.data, gradient, { ofLargest: 1e-5, absolute: 1e-6 });
  });
});
