/** `clipvq bench`: how fast this machine is, and what quality settings give. */

import { Command } from 'commander';
import { descriptions } from '../command-names.ts';
import { benchClipCommand } from './clip.ts';
import { benchDeviceCommand } from './device.ts';
import { benchPeerCommand } from './peer.ts';
import { benchSamplersCommand } from './samplers.ts';
import { benchScalingCommand } from './scaling.ts';
import { benchStepCommands } from './step.ts';

export function benchCommand(): Command {
  const command = new Command('bench').description(descriptions.bench);
  for (const step of benchStepCommands()) command.addCommand(step);
  return command
    .addCommand(benchPeerCommand())
    .addCommand(benchDeviceCommand())
    .addCommand(benchSamplersCommand())
    .addCommand(benchScalingCommand())
    .addCommand(benchClipCommand());
}
