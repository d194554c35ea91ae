/**
 * A custom sampler. This one is greedy: in every step it fixes the codes of which the network is surest, each at its
 * most likely value. It draws nothing, so that every picture of a prompt is the same.
 *
 *   node examples/custom-sampler.mjs <model> <out.png> "a prompt"
 */

import { Generator, save } from 'clip-vqdiffusion';

/** @type {import('clip-vqdiffusion').Sampler} */
async function greedy(denoise, { schedule, batch, tokens, steps, onStep, signal }) {
  const mask = schedule.codes;
  const x = new Int32Array(batch * tokens).fill(mask);
  for (let step = 1; step <= steps; step++) {
    signal?.throwIfAborted();
    // From the last time of the diffusion, where everything is masked, to the first.
    const time = Math.round(((schedule.steps - 1) * (steps - step)) / Math.max(1, steps - 1));
    const logProbabilities = await denoise(x, time);
    const fixed = Math.round((tokens * step) / steps);
    for (let picture = 0; picture < batch; picture++) {
      const guesses = Array.from({ length: tokens }, (_, token) => {
        const at = picture * tokens + token;
        const row = logProbabilities.subarray(at * schedule.codes, (at + 1) * schedule.codes);
        const code = row.reduce((best, value, i) => (value > (row[best] ?? Number.NEGATIVE_INFINITY) ? i : best), 0);
        return { at, code, confidence: row[code] ?? Number.NEGATIVE_INFINITY };
      });
      const masked = guesses.filter(({ at }) => x[at] === mask).sort((a, b) => b.confidence - a.confidence);
      for (const { at, code } of masked.slice(0, masked.length - (tokens - fixed))) x[at] = code;
    }
    await onStep?.({ step, steps, time: step === steps ? -1 : time, tokens: x, prediction: logProbabilities });
  }
  return x;
}

const [model = 'my-run', out = 'greedy.png', prompt = 'a red hat'] = process.argv.slice(2);

const generator = await Generator.load(model);
try {
  const [picture] = await generator.generate([prompt], { customSampler: greedy });
  if (picture) await save(out, picture.image);
  console.log(`${out}: "${prompt}", CLIP score ${picture?.clipScore.toFixed(3)}`);
} finally {
  await generator.close();
}
