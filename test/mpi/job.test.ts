/** What MPI itself does, between processes that `mpirun` starts. Skipped, and named, where there is none. */

import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
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

interface On {
  /** What `ip` runs it in. */
  readonly within?: readonly string[];
  /** Called when all ranks work. */
  readonly atWork?: () => void;
}

function mpirun(
  ranks: number,
  args: readonly string[],
  options: readonly string[] = [],
  { within, atWork }: On = {},
): Promise<Ended> {
  const command = ['mpirun', ...MPIRUN, ...options, '-n', `${ranks}`, process.execPath, FIXTURE, ...args];
  const [program, ...words] = within ? ['ip', ...within, ...command] : command;
  // A file, as a terminal is one: a rank can write where its launcher does.
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-job-'));
  const file = path.join(folder, 'stderr');
  const errors = fs.openSync(file, 'a');
  const child = spawn(program!, words, { stdio: ['ignore', 'pipe', errors], timeout: 90_000 });
  let stdout = '';
  let start = performance.now();
  let isWorking = false;
  child.stdout!.on('data', (chunk: Buffer) => {
    stdout += chunk;
    if (stdout.match(/working/g)?.length !== ranks || isWorking) return;
    isWorking = true;
    start = performance.now();
    atWork?.();
  });
  return new Promise((resolve) => {
    // What still holds the pipes may be on the other side of a cut cable.
    child.on('exit', (code) => {
      const seconds = (performance.now() - start) / 1000;
      setTimeout(() => {
        fs.closeSync(errors);
        const stderr = fs.readFileSync(file, 'utf8');
        fs.rmSync(folder, { recursive: true });
        resolve({ code, stdout, stderr, seconds });
      }, 300);
    });
  });
}

// Most of these wait for a rank that does not answer: all of the file wait together.
const together = { concurrent: true };

describe.skipIf(!hasMpi)(
  'an MPI job (skipped where there is no mpirun: apt install openmpi-bin libopenmpi3)',
  together,
  () => {
    it('adds up, gathers, broadcasts and shares, failures included', async () => {
      const { code, stdout, stderr } = await mpirun(3, ['collect']);
      expect(code, stderr).toBe(0);
      const results = stdout.split('\n').flatMap((line) => (line.startsWith('result ') ? [line.slice(7)] : []));
      expect(results).toHaveLength(3);
      for (const result of results)
        expect(JSON.parse(result)).toEqual({
          sum: [30, 33, 36, 39, 42],
          halves: [300, 330, 360, 390, 420],
          max: [2, 0],
          gathered: [[], [1], [2, 2]],
          broadcast: 7,
          shared: { from: 0 },
          failure: 'no such file',
          size: 3,
        });
    });

    it('leaves the core to others while it waits', async () => {
      const { code, stdout, stderr } = await mpirun(2, ['wait']);
      expect(code, stderr).toBe(0);
      const [, json] = /^result (\{"rank":1.*)$/m.exec(stdout)!;
      const { waited, busy } = JSON.parse(json!) as { readonly waited: number; readonly busy: number };
      expect(waited).toBeGreaterThan(1000);
      // All of it before, of a core that nobody else wants.
      expect(busy).toBeLessThan(waited / 3);
    });

    it('ends, with a line that names the rank, when one is killed', async () => {
      const { code, stderr } = await mpirun(2, ['die']);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/rank 1\b.*signal 9/i);
    });

    it('ends, with such a line and without files in memory, where the launcher would wait for a minute', async () => {
      const { code, stdout, stderr } = await mpirun(2, ['die', '3'], ['--mca', 'odls_base_sigkill_timeout', '60']);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(
        /The launcher has not ended the job and is killed. Rank 1 of 2 \(.+\) has not answered for/,
      );
      const [files] = /memory .+/.exec(stdout)!;
      expect(files.split(' ').filter((file) => fs.existsSync(file))).toEqual([]);
    });

    it('ends, with a line that names the rank, when one hangs', async () => {
      const { code, stderr } = await mpirun(2, ['hang', '4']);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(
        /Rank 1 of 2 \(.+\) has not answered for \d+ s: it has died, hangs or has lost its network/,
      );
    });

    it('ends when one rank fails, which reports itself; a failure of all is reported once', async () => {
      const [one, all, met] = await Promise.all([
        mpirun(2, ['failAlone']),
        mpirun(2, ['failAlike']),
        mpirun(2, ['failAtBarrier', '4']),
      ]);
      expect(one.code).not.toBe(0);
      expect(one.stderr).toMatch(/Rank 1 of 2 \(.+\): the disk is full/);
      expect(all.code).toBe(2);
      expect(all.stderr.match(/no such recipe/g)).toHaveLength(1);
      expect(all.stderr).toMatch(/^all: no such recipe/m);
      // The others wait at a barrier of their work: that is not the end of the job, and nobody is lost.
      expect(met.code).not.toBe(0);
      expect(met.stderr).toMatch(/^the run is locked/m);
      expect(met.stderr).not.toMatch(/not answered/);
    });
  },
);

const ip = (...args: string[]) => spawnSync('ip', args).status === 0;
/** Two machines on this one: namespaces of the network, each with its address, and a cable between them. */
const HOSTS = ['clipvq0', 'clipvq1'] as const;

function unplug(): void {
  for (const host of HOSTS) {
    // What a launcher has left behind on the other side.
    const left = spawnSync('ip', ['netns', 'pids', host], { encoding: 'utf8' });
    for (const pid of left.status === 0 ? left.stdout.split('\n').filter(Boolean) : []) killed(Number(pid));
    ip('netns', 'del', host);
  }
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function plugged(): boolean {
  unplug();
  const isMade =
    HOSTS.every((host) => ip('netns', 'add', host)) &&
    ip('link', 'add', 'clipvq-v0', 'type', 'veth', 'peer', 'name', 'clipvq-v1') &&
    HOSTS.every(
      (host, i) =>
        ip('link', 'set', `clipvq-v${i}`, 'netns', host) &&
        ip('-n', host, 'addr', 'add', `10.213.7.${i + 1}/24`, 'dev', `clipvq-v${i}`) &&
        ip('-n', host, 'link', 'set', `clipvq-v${i}`, 'up') &&
        ip('-n', host, 'link', 'set', 'lo', 'up'),
    );
  if (!isMade) unplug();
  return isMade;
}

const hasNamespaces = hasMpi && plugged();
if (hasNamespaces) unplug();

describe.skipIf(!hasNamespaces)(
  'an MPI job on two hosts (skipped where network namespaces cannot be made)',
  together,
  () => {
    it('ends within 30 s, with a line that names the rank, when the cable is cut', async () => {
      expect(plugged()).toBe(true);
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-hosts-'));
      const agent = path.join(folder, 'agent');
      fs.writeFileSync(agent, `#!/bin/sh\nshift\nexec ip netns exec ${HOSTS[1]} sh -c "$*"\n`, { mode: 0o755 });
      try {
        const net = ['btl_tcp_if_include', 'oob_tcp_if_include'].flatMap((name) => ['--mca', name, '10.213.7.0/24']);
        const hosts = [
          '--host',
          '10.213.7.1:1,10.213.7.2:1',
          '--mca',
          'plm_rsh_agent',
          agent,
          '--mca',
          'btl',
          'tcp,self',
        ];
        const within = ['netns', 'exec', HOSTS[0]];
        const ended = await mpirun(2, ['work', '6'], [...hosts, ...net], {
          within,
          atWork: () => expect(ip('-n', HOSTS[0], 'link', 'set', 'clipvq-v0', 'down')).toBe(true),
        });
        expect(ended.code).not.toBe(0);
        expect(ended.stderr).toMatch(/Rank 1 of 2 .+ has lost its network/);
        expect(ended.seconds).toBeLessThan(30);
      } finally {
        unplug();
        fs.rmSync(folder, { recursive: true });
      }
    });
  },
);
