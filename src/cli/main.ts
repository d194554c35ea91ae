#!/usr/bin/env node
/** The process `clipvq`: its streams, the folder the user stands in, and its exit code. */

import { isLaunched, unconnectedTasks } from '../mpi/launched.ts';
import { userFolder } from './invocation.ts';
import { watchStreams } from './output.ts';
import { runProgram } from './program.ts';

watchStreams();
const folder = userFolder();
if (folder !== undefined) process.chdir(folder);
const args = process.argv.slice(2);
if (isLaunched() || unconnectedTasks() > 1) await (await import('./run-ranks.ts')).runAsRank(args);
else process.exitCode = await runProgram(args);
