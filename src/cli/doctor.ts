/** `clipvq doctor`: what this machine has and lacks, on one screen. */

import { Command } from 'commander';
import { type Finding, findingsOf } from '../bench/doctor/findings.ts';
import { inspectMachine } from '../bench/doctor/machine.ts';
import { descriptions } from './command-names.ts';
import { withFlags } from './flags.ts';
import { interruptSignal, printResult } from './output.ts';

interface DoctorOptions {
  readonly offline?: boolean;
  readonly json?: boolean;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description(descriptions.doctor)
    .option('--offline', 'do not try to reach the hub (also HF_HUB_OFFLINE=1)')
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .addHelpText(
      'after',
      '\n+ is there, - would help or is needed for a part only, ! is missing.\nExit code 0 whatever is missing.',
    )
    .action(doctor);
}

const MARKS: Readonly<Record<Finding['state'], string>> = { has: '+', could: '-', lacks: '!' };

async function doctor({ offline, json }: DoctorOptions): Promise<void> {
  const machine = await inspectMachine({ offline, signal: interruptSignal() });
  const findings = findingsOf(machine).map((finding) => ({ ...finding, text: withFlags(finding.text) }));
  const width = Math.max(...findings.map(({ what }) => what.length));
  printResult(json ?? false, { machine, findings }, () =>
    findings.map(({ what, state, text }) => `${MARKS[state]} ${what.padEnd(width)}  ${text}`),
  );
}
