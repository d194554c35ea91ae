/** Whether an MPI launcher has started this process: a question that must cost an ordinary start nothing. */

/** What launchers set: Open MPI's mpirun, PMIx (srun --mpi=pmix), PMI (MPICH's mpiexec, srun --mpi=pmi2). */
const MARKS = ['OMPI_COMM_WORLD_SIZE', 'PMIX_RANK', 'PMI_RANK', 'PMI_SIZE'];

/**
 * Whether one has. Rank and number of ranks come from the MPI library, not from here: only a process that is one of
 * several, or may be, loads it.
 */
export function isLaunched(env: NodeJS.ProcessEnv = process.env): boolean {
  const isOne = env.OMPI_COMM_WORLD_SIZE === '1' || env.PMI_SIZE === '1';
  return !isOne && MARKS.some((name) => env[name] !== undefined);
}

/**
 * Tasks that Slurm has started side by side without MPI (srun without --mpi=pmix), each of which would take itself for
 * the only one; 1 where there is no such thing.
 */
export const unconnectedTasks = (env: NodeJS.ProcessEnv = process.env): number =>
  MARKS.some((name) => env[name] !== undefined) ? 1 : Number(env.SLURM_STEP_NUM_TASKS ?? 1);
