/** `clipvq bench`: how fast this machine is, and what the settings are worth. */

import { Command } from 'commander';
import { benchClipCommand } from './bench-clip.ts';
import { benchDeviceCommand } from './bench-device.ts';
import { benchPeerCommand } from './bench-peer.ts';
import { benchSamplersCommand } from './bench-samplers.ts';
import { benchStepCommands } from './bench-step.ts';

export function benchCommand(): Command {
  const command = new Command('bench').description('time one step, or compare with PyTorch');
  for (const step of benchStepCommands()) command.addCommand(step);
  return command
    .addCommand(benchPeerCommand())
    .addCommand(benchDeviceCommand())
    .addCommand(benchSamplersCommand())
    .addCommand(benchClipCommand());
}
