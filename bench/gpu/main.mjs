/** The benchmarks of `clipvq bench` that need neither pictures nor CLIP, and so none of the packages for them. */

import { Command } from 'commander';
import { benchDeviceCommand } from '../../dist/cli/bench/device.js';
import { benchPeerCommand } from '../../dist/cli/bench/peer.js';
import { benchStepCommands } from '../../dist/cli/bench/step.js';

const program = new Command('bench');
for (const command of [...benchStepCommands(), benchPeerCommand(), benchDeviceCommand()]) program.addCommand(command);
await program.parseAsync();
