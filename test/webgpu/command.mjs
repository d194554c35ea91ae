/** The command line in this process, over the build. */

import { runProgram } from '../../dist/cli/program.js';

/** What `clipvq` prints to stdout for these words. @throws Error if it fails. */
export async function command(...words) {
  const write = { stdout: process.stdout.write, stderr: process.stderr.write };
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'])
    process[name].write = (text) => {
      written[name] += text;
      return true;
    };
  try {
    const status = await runProgram(words);
    if (status !== 0) throw new Error(`clipvq ${words.join(' ')} ends with ${status}: ${written.stderr}`);
    return written.stdout;
  } finally {
    for (const name of ['stdout', 'stderr']) process[name].write = write[name];
  }
}
