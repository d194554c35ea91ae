/** `clipvq bench scaling`: how training scales over ranks on this machine, and what that means for others. */

import { spawnSync } from 'node:child_process';
import os from 'node:os';
import { Command, Option } from 'commander';
import { UserError } from '../../base/errors.ts';
import { estimateTraining } from '../../bench/estimate.ts';
import { measureRanks, type RankMeasurement } from '../../bench/scaling.ts';
import { crowdedOn, gigabitsOf, project } from '../../bench/scaling-model.ts';
import { machineSpeed } from '../../bench/speed.ts';
import { makeRecipe } from '../../recipe/recipe.ts';
import type { StageName } from '../../training/stages.ts';
import { type CommonOptions, engineOptions, withCommon } from '../options.ts';
import { note, printResult } from '../output.ts';
import { currentRanks } from '../rank.ts';
import { table } from '../table.ts';

interface Options extends CommonOptions {
  readonly ranks: readonly number[];
  readonly measure?: boolean;
}

const PRESETS = ['base', 'ffhq-256'] as const;
const STAGES: readonly StageName[] = ['tokenizer', 'diffusion'];
const NODES = [8, 16, 32, 64];
const GIGABITS = [10, 25, 100];

export function benchScalingCommand(): Command {
  const command = new Command('scaling')
    .description('training over several ranks (MPI): measured here, projected to 8 to 64 machines')
    .addOption(
      new Option('--ranks <list>', 'ranks to measure on this machine')
        .argParser((text) => text.split(',').map(Number))
        .default([1, 2, 4], '1,2,4'),
    )
    .addOption(new Option('--measure').hideHelp());
  return withCommon(command).action(run);
}

async function run(options: Options): Promise<void> {
  const ranks = currentRanks();
  if (options.measure || ranks.size > 1) {
    const measured = await measureRanks(ranks, engineOptions(options));
    printResult(true, measured, () => []);
    return;
  }
  if (options.ranks.some((n) => !Number.isSafeInteger(n) || n < 1 || 32 % n !== 0))
    throw new UserError('--ranks: give numbers that divide the batch of 32, such as 1,2,4');
  const measured = options.ranks.map((n) => measuredBy(n, options));
  const speed = await machineSpeed(engineOptions(options));
  const projections = PRESETS.flatMap((preset) => {
    const estimate = estimateTraining(makeRecipe(preset), { stages: STAGES, speed, conditionDim: 512 });
    return estimate.stages.map(({ stage, parameters, batch, secondsPerStep }) => ({
      preset,
      stage,
      batch,
      secondsPerStep,
      points: project({ secondsPerStep, batch, bytes: 4 * parameters }, NODES, GIGABITS),
    }));
  });
  const cores = os.availableParallelism();
  const crowded = crowdedOn(cores, measured, options.threads ?? 1);
  printResult(options.json ?? false, { cores, measured, speed, projections }, () => [
    'The diffusion step of nano (batch 32) on this machine:',
    ...table([
      ['ranks', 'ms a step', 'computing', 'communicating', 'waiting'],
      ...measured.map(({ ranks, step }) => [
        `${ranks}`,
        step.ms.toFixed(0),
        ...[step.computing, step.communicating, step.waiting].map((ms) => `${Math.round((100 * ms) / step.ms)} %`),
      ]),
    ]),
    ...(crowded.length > 0
      ? [
          `This machine has ${cores} cores: with ${crowded.map((one) => one.ranks).join(' and ')} ranks they take turns, and the numbers say nothing about machines of their own.`,
        ]
      : []),
    '',
    'Sums of a bucket over the ranks, ms:',
    ...table(
      measured.flatMap(({ ranks, sums }) =>
        sums.map((sum) => [
          `${ranks} ranks`,
          `${sum.megabytes.toFixed(1)} MB`,
          sum.ms.toFixed(2),
          `${gigabitsOf(sum).toFixed(1)} Gb/s`,
        ]),
      ),
    ),
    '',
    `Projected, one rank a machine like this one (speed ${speed.toFixed(2)}), the batch of the recipe: computing divides; a ring of links, nothing hidden behind computing:`,
    ...table([
      ['preset', 'stage', 'batch', 's alone', 'machines', ...GIGABITS.map((speed) => `${speed} Gb/s`)],
      ...projections.flatMap(({ preset, stage, batch, secondsPerStep, points }) =>
        [...new Set(points.map(({ nodes }) => nodes))].map((nodes) => [
          ...[preset, stage, `${batch}`, secondsPerStep.toFixed(1), `${nodes}`],
          ...points.filter((point) => point.nodes === nodes).map(({ speedup }) => `${speedup.toFixed(1)} x`),
        ]),
      ),
    ]),
  ]);
}

/** Start ranks that measure, and take what the first one prints. */
function measuredBy(ranks: number, { threads = 1 }: Options): RankMeasurement {
  note(`Measuring with ${ranks} ${ranks === 1 ? 'rank' : 'ranks'}`);
  const own = [process.execPath, process.argv[1]!, 'bench', 'scaling', '--measure', '--threads', `${threads}`];
  const root = process.getuid?.() === 0 ? ['--allow-run-as-root'] : [];
  const launcher = ranks === 1 ? [] : ['mpirun', ...root, '--oversubscribe', '-n', `${ranks}`];
  const [file, ...args] = [...launcher, ...own];
  const { status, stdout, stderr, error } = spawnSync(file!, args, { encoding: 'utf8', timeout: 600_000 });
  if (error) throw new UserError('mpirun cannot be started: install openmpi-bin and libopenmpi3, or give --ranks 1');
  if (status !== 0)
    throw new UserError(`The measurement with ${ranks} ranks has failed: ${stderr.trim().split('\n')[0]}`);
  return JSON.parse(stdout) as RankMeasurement;
}
