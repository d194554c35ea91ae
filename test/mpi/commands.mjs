/** Command lines, one after another, as one rank of a job: `mpirun -n 2 node commands.mjs '[["evaluate", …], …]'`. */

import { runProgram } from '../../dist/cli/program.js';
import { becomeRank } from '../../dist/cli/rank.js';
import { silence } from '../../dist/cli/streams.js';
import { MpiJob } from '../../dist/mpi/job.js';

const job = await MpiJob.start({ timeout: 60, onLost: (line) => console.error(line), onOrphaned: () => {} });
becomeRank(job, job.neighbours);
if (job.rank !== 0) silence();
for (const args of JSON.parse(process.argv[2])) {
  const code = await runProgram(args);
  if (code !== 0) await job.fail(code, () => console.error(`clipvq ${args.join(' ')}: ${code}`));
}
await job.leave(0);
