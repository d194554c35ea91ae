/** `clipvq bench train-step` and `sample-step`: how fast one step is on this machine. */

import os from 'node:os';
import { Command } from 'commander';
import { type BenchConfig, type BenchResult, benchSampleStep, benchTrainStep } from '../evaluation/bench.ts';
import { type CommonOptions, whole, withCommon } from './options.ts';
import { printResult } from './output.ts';
import { type ProfileOptions, profiled, withProfile } from './profile.ts';

interface BenchOptions extends CommonOptions, ProfileOptions, Omit<BenchConfig, 'mlp'> {
  readonly mlp: 'conv' | 'fc';
}

export function benchStepCommands(): Command[] {
  const steps = [
    ['train-step', 'one training step of the diffusion stage: loss, backward pass, AdamW', benchTrainStep],
    ['sample-step', 'one guided reverse step: both halves of the network, guidance, the draw', benchSampleStep],
  ] as const;
  return steps.map(([name, description, run]) => {
    const step = new Command(name)
      .description(description)
      .option('--layers <n>', 'transformer blocks', whole(1), 4)
      .option('--dim <n>', 'width', whole(1), 256)
      .option('--heads <n>', 'attention heads', whole(1), 8)
      .option('--grid <n>', 'side of the grid of tokens', whole(1), 16)
      .option('--codes <n>', 'size of the codebook', whole(2), 1024)
      .option('--batch <n>', 'pictures a step', whole(1), 4)
      .option('--rounds <n>', 'measured steps', whole(1), 10)
      .option('--mlp <conv|fc>', 'feed-forward part of a block', 'conv')
      .option('--in-place', 'write new weights over the old ones, as large presets do: half the memory', false);
    return withProfile(withCommon(step)).action((options: BenchOptions) => bench(name, run, options));
  });
}

async function bench(name: string, run: typeof benchTrainStep, options: BenchOptions): Promise<void> {
  const { layers, dim, heads, grid, codes, batch, rounds, mlp, inPlace } = options;
  const result: BenchResult = await profiled(options, (engine) =>
    run({ layers, dim, heads, grid, codes, batch, rounds, mlp, inPlace }, engine),
  );
  printResult(options.json ?? false, result, () => [
    `${name}: ${layers} x ${dim}, ${heads} heads, ${grid}x${grid} tokens, ${codes} codes, ${mlp} MLP, batch ${batch}; ${options.device}, ${os.cpus()[0]?.model ?? 'unknown CPU'}`,
    `median ${result.medianMs.toFixed(1)} ms, least ${result.minMs.toFixed(1)} ms over ${rounds} steps; ${result.paramsM.toFixed(2)} M parameters, ${result.gflops.toFixed(0)} GFLOP/s of the direct algorithm`,
    `memory: ${result.stateMB.toFixed(0)} MB of parameters and state, ${result.activationsMB.toFixed(0)} MB of activations; peak of the process ${result.peakRssMB.toFixed(0)} MB`,
  ]);
}
