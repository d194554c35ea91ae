#!/usr/bin/env node
/** The process `clipvq`: its streams, the folder the user stands in, and its exit code. */

import { userFolder } from './invocation.ts';
import { watchStreams } from './output.ts';
import { runProgram } from './program.ts';

watchStreams();
const folder = userFolder();
if (folder !== undefined) process.chdir(folder);
process.exitCode = await runProgram(process.argv.slice(2));
