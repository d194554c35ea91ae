/** `clipvq bench train-step` and `sample-step`: how fast one step is on this machine. */

import os from 'node:os';
import { Command } from 'commander';
import { type BenchConfig, type BenchResult, benchSampleStep, benchTrainStep } from '../../bench/step-bench.ts';
import { type CommonOptions, withCommon, withModelSizes } from '../options.ts';
import { printResult } from '../output.ts';
import { type ProfileOptions, profiled, withProfile } from '../profile.ts';

interface BenchOptions extends CommonOptions, ProfileOptions, Omit<BenchConfig, 'mlp'> {
  readonly mlp: 'conv' | 'fc';
}

const SIZES = { dim: 256, grid: 16, codes: 1024, rounds: 10 };

export function benchStepCommands(): Command[] {
  const steps = [
    ['train-step', 'one training step of the diffusion stage: loss, backward pass, AdamW', benchTrainStep],
    ['sample-step', 'one guided reverse step: both halves of the network, guidance, the draw', benchSampleStep],
  ] as const;
  return steps.map(([name, description, run]) => {
    const step = withModelSizes(new Command(name).description(description), SIZES)
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
