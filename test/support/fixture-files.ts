/**
 * Where the reference numbers lie and what a complete folder holds. Free of vitest, because its reporter reads this
 * too.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { unpackFixtures } from './fixture-pack.ts';

const named = process.env.CLIPVQ_FIXTURES;
const whole = path.resolve(named ?? '../shared/fixtures');

/** Whether nobody named a folder and none is in the usual place, so that the part in the repository takes its place. */
export const isPartial = named === undefined && !existsSync(whole);
const folder = isPartial ? unpackFixtures(path.resolve('test/fixtures')) : whole;

/** The path of a file in the folder; of the folder itself without an argument. */
export function fixturePath(...parts: string[]): string {
  return path.join(folder, ...parts);
}

/** Every fixture and the files it is made of. Each must be there, and each must be checked. */
export const FIXTURE_FILES: Readonly<Record<string, readonly string[]>> = {
  schedule: ['schedule.safetensors'],
  diffusion: ['diffusion.safetensors'],
  sample_time: ['sample_time.json'],
  transformer: ['transformer.safetensors'],
  vqgan: ['vqgan.safetensors'],
  discriminator: ['discriminator.safetensors'],
  lpips: ['lpips.safetensors'],
  clip: ['clip.safetensors'],
  tokenizer: ['tokenizer.json', 'bpe_simple_vocab_16e6.txt.gz'],
  sampling: ['sampling.safetensors', 'sampling.json'],
  train_step: ['train_step.safetensors'],
  end_to_end: ['end_to_end.safetensors'],
  checkpoints: ['checkpoints/index.json'],
  metrics: ['metrics.safetensors'],
  optim: ['optim.safetensors', 'optim.json'],
  preprocess: ['preprocess.safetensors'],
};
