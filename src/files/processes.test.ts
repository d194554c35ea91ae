import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { isRunning, startedAt } from './processes.ts';

it('knows a process that runs from one that has ended', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  expect(isRunning(child.pid!)).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isRunning(child.pid!)).toBe(false);
  expect(startedAt(child.pid!)).toBeUndefined();
});

it.runIf(process.platform === 'linux')('counts a process that nobody has waited for as ended', async () => {
  const parent = spawn('sh', ['-c', 'cat <&3 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
  });
  const [line] = (await once(parent.stdout!, 'data')) as [Buffer];
  const pid = Number(line.toString());
  const status = (of: number) => fs.readFileSync(`/proc/${of}/status`, 'utf8');
  // A shell would wait for its child; what takes its place does not.
  while (!/^Name:\tsleep/m.test(status(parent.pid!))) await sleep(5);
  expect(isRunning(pid)).toBe(true);
  (parent.stdio[3] as Writable).end();
  while (!/^State:\tZ/m.test(status(pid))) await sleep(5);
  expect(() => process.kill(pid, 0)).not.toThrow();
  expect(isRunning(pid)).toBe(false);
  parent.kill('SIGKILL');
});
