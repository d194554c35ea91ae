/** `clipvq bench device`: the CPU against the GPU of this machine. */

import { Command, Option } from 'commander';
import {
  deviceFallbacks,
  type Fallbacks,
  jobs,
  profiledJobs,
  profiledWork,
  type TimedJob,
  timeDevice,
} from '../../bench/devices.ts';
import { type ModelSizes, threadCount, withModelSizes } from '../options.ts';
import { note, printResult } from '../output.ts';
import { table } from '../table.ts';

interface DeviceOptions extends ModelSizes {
  readonly device: string;
  readonly threads: number;
  readonly nodes: boolean;
  readonly json?: boolean;
}

interface DeviceResult {
  readonly device: string;
  readonly ms: Readonly<Record<TimedJob, number>>;
  readonly fallbacks?: Fallbacks;
}

export function benchDeviceCommand(): Command {
  const command = new Command('device')
    .description('the CPU against another device: training step, reverse step, encoding; recommends one')
    .option('--device <name>', 'what to compare the CPU with', 'webgpu');
  return withModelSizes(command, { dim: 128, grid: 8, codes: 512, rounds: 5 })
    .option('--nodes', 'list the operators that fall back to the CPU', false)
    .addOption(
      new Option('--threads <n>', 'threads on the CPU; 0 is one for each core').argParser(threadCount).default(0),
    )
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .action(compareDevices);
}

async function compareDevices(options: DeviceOptions): Promise<void> {
  const { layers, dim, heads, grid, codes, batch, rounds, threads, nodes } = options;
  const config = { layers, dim, heads, grid, codes, batch, rounds, mlp: 'conv', inPlace: false } as const;
  const results: DeviceResult[] = [];
  // The other device first: where there is none, the CPU is not measured in vain.
  for (const device of [options.device, 'cpu']) {
    note(`Timing ${device}`);
    const ms = await timeDevice(config, { device, threads });
    const isProfiled = nodes && device !== 'cpu';
    results.push({
      device,
      ms,
      ...(isProfiled && { fallbacks: await deviceFallbacks(profiledWork(config), { device, threads }) }),
    });
  }
  const [other, cpu] = results as [DeviceResult, DeviceResult];
  const recommended = other.ms['training step'] < cpu.ms['training step'] ? other.device : cpu.device;
  const ratio = cpu.ms['training step'] / other.ms['training step'];
  printResult(options.json ?? false, { config, threads, results, recommended }, () => [
    ...table([
      ['median ms', cpu.device, other.device],
      ...jobs.map((job) => [job, cpu.ms[job].toFixed(1), other.ms[job].toFixed(1)]),
    ]),
    ...fallbackLines(other),
    `Recommended: --device ${recommended} (${other.device} trains at ${ratio.toPrecision(2)} times the speed of the CPU)`,
  ]);
}

function fallbackLines({ device, fallbacks }: DeviceResult): string[] {
  if (!fallbacks) return [];
  return profiledJobs.flatMap((job) => {
    const fallen = fallbacks[job];
    if (fallen.length === 0) return [`${job}: every operator ran on ${device}`];
    return [
      `${job}: on the CPU ran`,
      ...fallen.map(({ operator, shapes, calls }) => `  ${operator} ${shapes ?? ''} (${calls} calls)`),
    ];
  });
}
