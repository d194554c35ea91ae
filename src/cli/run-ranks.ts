/** The process `clipvq` as one of the ranks that an MPI launcher has started: rank 0 prints, the others do not. */

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf, UserError } from '../base/errors.ts';
import { MpiJob } from '../mpi/job.ts';
import { unconnectedTasks } from '../mpi/launched.ts';
import { note, printError } from './output.ts';
import { runProgram } from './program.ts';
import { becomeRank } from './rank.ts';
import { otherProgram, programHash } from './same-program.ts';
import { aloud, lastSuppressed, silence } from './streams.ts';

/** Commands whose work ranks share. */
const SHARED: readonly string[] = ['train', 'generate', 'evaluate', 'bench'];
/** Seconds without a sign of life after which a rank counts as lost. */
const TIMEOUT = 20;

/** Join the job, run a command line in it, and leave: the process ends here. */
export async function runAsRank(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const flags = { json: args.includes('--json'), debug: args.includes('--debug') };
  const tasks = unconnectedTasks(env);
  if (tasks > 1) {
    process.exitCode = isShared(args) ? refuse(tasks, env, flags) : await runProgram(args);
    return;
  }
  let job: MpiJob;
  try {
    const onLost = (line: string) => aloud(() => note(`clipvq: ${line}`));
    job = await MpiJob.start({ timeout: timeoutOf(env), onLost, onOrphaned: () => endOrphaned(job.rank) }, env);
  } catch (error) {
    // There is no library to ask, and one line is enough.
    const launcherRank = env.OMPI_COMM_WORLD_RANK ?? env.PMIX_RANK ?? env.PMI_RANK ?? '0';
    const code = error instanceof UserError ? 2 : 1;
    process.exitCode = launcherRank === '0' ? printError(messageOf(error), code, flags) : code;
    return;
  }
  if (job.size > 1) {
    becomeRank(job, job.neighbours);
    if (job.rank !== 0) silence();
  }
  const code = await run(job, args, flags);
  if (code === 0) await job.leave(0);
  await job.fail(code, (name) => {
    if (name !== undefined) aloud(() => note(`${name}: ${lastSuppressed().replace(/^clipvq: /, '')}`));
  });
}

/** Without a launcher the ranks end as without a terminal; the first says so where the user may still read it. */
function endOrphaned(rank: number): void {
  if (rank === 0) {
    try {
      fs.writeFileSync(
        '/dev/tty',
        'clipvq: the MPI launcher is gone: all ranks stop after this step, with a checkpoint\n',
      );
    } catch {
      // There is no terminal.
    }
  }
  process.kill(process.pid, 'SIGHUP');
}

const commandOf = (args: readonly string[]): string => args.find((arg) => !arg.startsWith('-')) ?? '';
const isShared = (args: readonly string[]): boolean => SHARED.includes(commandOf(args));

/** One line of all tasks that do not know of each other; the exit code. */
function refuse(tasks: number, env: NodeJS.ProcessEnv, flags: Parameters<typeof printError>[2]): number {
  if (env.SLURM_PROCID !== '0') return 2;
  return printError(
    `srun has started ${tasks} tasks without MPI, each of which would do the whole work: add --mpi=pmix (srun --mpi=list shows what there is), or --ntasks=1 for tasks of their own`,
    2,
    flags,
  );
}

async function run(job: MpiJob, args: readonly string[], flags: Parameters<typeof printError>[2]): Promise<number> {
  if (job.size > 1 && !isShared(args))
    return printError(`clipvq ${commandOf(args)} works in one process: start it without the MPI launcher`, 2, flags);
  if (job.size > 1) {
    const own = programHash(fileURLToPath(new URL('..', import.meta.url)));
    const other = await otherProgram(job, own, (rank) => job.nameOf(rank));
    if (other !== undefined) return printError(other, 2, flags);
  }
  return runProgram(args);
}

function timeoutOf({ CLIPVQ_RANK_TIMEOUT: text }: NodeJS.ProcessEnv): number {
  const seconds = Number(text ?? TIMEOUT);
  if (!(seconds >= 2)) throw new UserError(`CLIPVQ_RANK_TIMEOUT is ${text}: give seconds, 2 or more`);
  return seconds;
}
