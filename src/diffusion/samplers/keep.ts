/** Drawing with codes that stay, by any sampler: the basis of repainting and variations of a picture. */

import { uniforms } from '../../random/noise.ts';
import { LOG_ZERO } from '../process/log-space.ts';
import { marginal, type Schedule } from '../process/schedule.ts';
import type { Denoiser, Sampler, SamplerOptions } from './sampler.ts';

/**
 * A sampler that draws as `sampler` does, and loses none of the known codes. The network is given them at every step,
 * and its prediction for their places is certain, so that whenever the sampler draws there, it draws them; they are put
 * back into what it reports and returns.
 * @param known codes that stay, K where a code is to be drawn, `[batch, tokens]`.
 */
export function keeping(sampler: Sampler, known: Int32Array): Sampler {
  return async (denoise, options) => {
    const { batch, tokens, onStep } = options;
    if (known.length !== batch * tokens)
      throw new RangeError(`${known.length} known codes for ${batch} pictures of ${tokens}`);
    const mask = options.schedule.codes;
    const put = (drawn: Int32Array): Int32Array<ArrayBuffer> =>
      Int32Array.from(drawn, (token, i) => (known[i] === mask ? token : known[i]!));
    const certain: Denoiser = async (current, t) => {
      const logProbs = await denoise(put(current), t);
      for (const [i, code] of known.entries()) {
        if (code === mask) continue;
        logProbs.fill(LOG_ZERO, i * mask, (i + 1) * mask);
        logProbs[i * mask + code] = 0;
      }
      return logProbs;
    };
    const drawn = await sampler(certain, {
      ...options,
      ...(onStep && { onStep: (progress) => onStep({ ...progress, tokens: put(progress.tokens) }) }),
    });
    return put(drawn);
  };
}

/**
 * The codes of a picture that the forward process has not masked after the schedule's last time, K elsewhere,
 * `[batch, tokens]`: each picture of the batch loses others, by its own sample index alone (stream 'sample.start').
 * @param codes of one picture, `[tokens]`.
 */
export function unmaskedCodes(
  schedule: Schedule,
  codes: Int32Array,
  { seed, samples }: SamplerOptions['noise'],
): Int32Array<ArrayBuffer> {
  const { gamma } = marginal(schedule, schedule.steps - 1);
  const left = new Int32Array(samples.length * codes.length);
  for (let b = 0; b < samples.length; b++) {
    const row = uniforms({ seed, stream: 'sample.start', step: 0 }, samples[b]!, codes.length);
    for (const [l, code] of codes.entries()) left[b * codes.length + l] = row[l]! < gamma ? schedule.codes : code;
  }
  return left;
}
