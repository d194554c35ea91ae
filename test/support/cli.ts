/** The command line as a function: the same as a process of its own, without its start. */

import { runProgram } from '../../src/cli/program.ts';

export interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Write = typeof process.stdout.write;

/** Run `clipvq` with these arguments in a folder. One at a time: it moves this process and takes its streams. */
export async function runClipvq(folder: string, ...args: readonly string[]): Promise<Finished> {
  const written = { stdout: '', stderr: '' };
  const streams = ['stdout', 'stderr'] as const;
  const before = { folder: process.cwd(), stdout: process.stdout.write, stderr: process.stderr.write };
  const taking = (name: (typeof streams)[number]): Write =>
    ((text: string | Uint8Array) => {
      written[name] += typeof text === 'string' ? text : Buffer.from(text).toString();
      return true;
    }) as Write;
  // Every command that can be interrupted listens to signals, and here they are many.
  process.setMaxListeners(0);
  process.chdir(folder);
  for (const name of streams) process[name].write = taking(name);
  try {
    const status = await runProgram(args);
    return { status, ...written };
  } finally {
    for (const name of streams) process[name].write = before[name];
    process.chdir(before.folder);
  }
}
