/** The forward process: draws noisy tokens x_t from clean ones. */
import { UserError } from '../base/errors.ts';
import { marginal, type Schedule } from './process/schedule.ts';

/**
 * Draws x_t ~ q(x_t | x_0): keep with probability alphaBar + betaBar, any other code betaBar each, mask (index K)
 * gammaBar.
 *
 * One uniform in [0, 1) decides a token. The replaced tokens own the bottom of the interval, where no subtraction costs
 * digits: with the published schedule they share one millionth of it among all K codes.
 *
 * @param codes x_0, `[batch, tokens]`, each in 0 .. K-1.
 * @param t one time per image, `[batch]`, each in 0 .. T-1.
 * @param uniforms `[batch, tokens]`.
 * @returns x_t, `[batch, tokens]`, each in 0 .. K.
 * @throws UserError when a code is not in the codebook.
 */
export function corrupt(
  schedule: Schedule,
  codes: Int32Array,
  t: ArrayLike<number>,
  uniforms: ArrayLike<number>,
): Int32Array<ArrayBuffer> {
  const tokens = codes.length / t.length;
  if (!Number.isInteger(tokens) || uniforms.length !== codes.length) {
    throw new RangeError(
      `corrupt: ${codes.length} codes, ${t.length} times and ${uniforms.length} uniforms do not match`,
    );
  }
  const noisy = new Int32Array(codes.length);
  for (let b = 0; b < t.length; b++) {
    const { beta, gamma } = marginal(schedule, t[b]!);
    for (let i = b * tokens; i < (b + 1) * tokens; i++) {
      const code = codes[i]!;
      checkCode(code, schedule.codes);
      noisy[i] = corruptToken(code, uniforms[i]!, beta, gamma, schedule.codes);
    }
  }
  return noisy;
}

/** [0, K beta) replaces by a uniform code (its own included), the next gamma masks, the rest keeps. */
function corruptToken(code: number, uniform: number, beta: number, gamma: number, mask: number): number {
  const replaced = mask * beta;
  if (uniform < replaced) return Math.min(mask - 1, Math.floor(uniform / beta));
  return uniform < replaced + gamma ? mask : code;
}

function checkCode(code: number, codes: number): void {
  if (code >= 0 && code < codes) return;
  throw new UserError(
    `Code ${code} is not among the codebook's ${codes}; encode the pictures again with this tokenizer`,
  );
}
