/** Every sampler: one line each, called after its file. Everything else that lists samplers reads this. */

export { sampler as ancestral } from './ancestral.ts';
export { sampler as fast } from './fast.ts';
export { sampler as halton } from './halton.ts';
export { sampler as purity } from './purity.ts';
export { sampler as reference } from './reference.ts';
export { sampler as remask } from './remask.ts';
export { sampler as strided } from './strided.ts';
