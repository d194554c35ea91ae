/** What MPI itself does, between processes that `mpirun` starts. Skipped, and named, where there is none. */

import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const MPIRUN = ['--allow-run-as-root', '--oversubscribe'];
const FIXTURE = path.resolve('test/mpi/rank.mjs');
const hasMpi = spawnSync('mpirun', ['--version']).status === 0;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the time at which all ranks worked. */
  readonly seconds: number;
}

function mpirun(ranks: number, args: readonly string[], options: readonly string[] = []): Promise<Ended> {
  const command = [...MPIRUN, ...options, '-n', `${ranks}`, process.execPath, FIXTURE, ...args];
  const child = spawn('mpirun', command, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 90_000 });
  let [stdout, stderr] = ['', ''];
  let start = performance.now();
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk;
    if (stdout.match(/working/g)?.length === ranks) start = performance.now();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr, seconds: (performance.now() - start) / 1000 }));
  });
}

describe.skipIf(!hasMpi)('an MPI job (skipped where there is no mpirun: apt install openmpi-bin libopenmpi3)', () => {
  it('adds up, gathers, broadcasts and shares, failures included', async () => {
    const { code, stdout, stderr } = await mpirun(3, ['collect']);
    expect(code, stderr).toBe(0);
    const results = stdout.split('\n').flatMap((line) => (line.startsWith('result ') ? [line.slice(7)] : []));
    expect(results).toHaveLength(3);
    for (const result of results)
      expect(JSON.parse(result)).toEqual({
        sum: [30, 33, 36, 39, 42],
        max: [2, 0],
        gathered: [[], [1], [2, 2]],
        broadcast: 7,
        shared: { from: 0 },
        failure: 'no such file',
        size: 3,
      });
  });

  it('ends, with a line that names the rank, when one is killed', async () => {
    const { code, stderr } = await mpirun(2, ['die']);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/rank 1\b.*signal 9/i);
  });

  it('ends, with a line that names the rank, when one hangs', async () => {
    const { code, stderr } = await mpirun(2, ['hang', '4']);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/Rank 1 of 2 \(.+\) has not answered for \d+ s: it has died, hangs or has lost its network/);
  });

  it('ends when one rank fails, which reports itself; a failure of all is reported once', async () => {
    const one = await mpirun(2, ['failAlone']);
    expect(one.code).not.toBe(0);
    expect(one.stderr).toMatch(/Rank 1 of 2 \(.+\): the disk is full/);
    const all = await mpirun(2, ['failAlike']);
    expect(all.code).toBe(2);
    expect(all.stderr.match(/no such recipe/g)).toHaveLength(1);
    expect(all.stderr).toMatch(/^all: no such recipe/m);
  });
});
