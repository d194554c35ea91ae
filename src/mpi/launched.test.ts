import { expect, it } from 'vitest';
import { isLaunched, unconnectedTasks } from './launched.ts';

it.each([
  ['nothing', {}, false, 1],
  ['mpirun of one rank', { OMPI_COMM_WORLD_SIZE: '1' }, false, 1],
  ['mpirun within a step of Slurm', { OMPI_COMM_WORLD_SIZE: '4', SLURM_STEP_NUM_TASKS: '2' }, true, 1],
  ['srun --mpi=pmix', { PMIX_RANK: '0', SLURM_STEP_NUM_TASKS: '2' }, true, 1],
  ['srun --mpi=pmi2', { PMI_RANK: '0', PMI_SIZE: '2', SLURM_STEP_NUM_TASKS: '2' }, true, 1],
  ['a script of sbatch', { SLURM_PROCID: '0', SLURM_NTASKS: '2' }, false, 1],
  ['srun without MPI', { SLURM_PROCID: '1', SLURM_STEP_NUM_TASKS: '2' }, false, 2],
])('knows whether several ranks were started, and tasks without MPI: %s', (_, env, launched, tasks) => {
  expect(isLaunched(env)).toBe(launched);
  expect(unconnectedTasks(env)).toBe(tasks);
});
