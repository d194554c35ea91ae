/** Signals and broken pipes, as a process meets them. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { skipped } from '../../test/support/skip.ts';
import { fired, isHangupIgnored } from './interrupt.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-interrupt-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

const hasScript = spawnSync('script', ['-qc', 'true', '/dev/null'], { stdio: 'ignore' }).status === 0;
const script = path.join(folder, 'work.mjs');
const module = (name: string) => JSON.stringify(path.resolve('dist', 'cli', name));
fs.writeFileSync(
  script,
  `import { CHECKPOINT_KEPT, interruptSignal } from ${module('interrupt.js')};
import { watchStreams, writeTo } from ${module('streams.js')};
watchStreams();
const signal = interruptSignal(undefined, CHECKPOINT_KEPT);
const stubborn = process.argv[2] === 'stubborn';
signal.addEventListener('abort', () => {
  process.stdout.write('checkpoint\\n');
  if (!stubborn) process.exit(130);
});
setInterval(() => writeTo(process.stderr, 'step\\n'), 50);
`,
);

/** Starts the work, and acts when it has begun. */
async function work(args: string[], act: (child: ChildProcess) => void, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [script, ...args], { env: { ...process.env, _: '/bin/sh', ...env } });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr
    .once('data', () => act(child))
    .on('data', (data) => {
      stderr += data;
    });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on('close', (...ended) => resolve(ended)),
  );
  return { code, signal, checkpoints: stdout.split('checkpoint').length - 1, stderr };
}

describe.skipIf(skipped(process.platform === 'win32', 'signals', 'Windows has none'))('a command that works', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('can leave a checkpoint on %s', async (name) => {
    expect(await work([], (child) => child.kill(name))).toMatchObject({ code: 130, signal: null, checkpoints: 1 });
  });

  it('can leave a checkpoint when nobody reads its progress any more', async () => {
    expect(await work([], (child) => child.stderr!.destroy())).toMatchObject({ code: 130, checkpoints: 1 });
  });

  it('ends at once by a second Ctrl-C, without a core dump, and not by two that arrive together', async () => {
    const twice = (child: ChildProcess) => {
      child.kill('SIGINT');
      child.kill('SIGINT');
      setTimeout(() => child.kill('SIGINT'), 1500);
    };
    const { stderr, ...ended } = await work(['stubborn'], twice);
    expect(ended).toEqual({ code: null, signal: 'SIGINT', checkpoints: 1 });
    expect(stderr).toMatch(/again to stop at once\)\n[\s\S]*\nStopped at once: the last checkpoint is kept, [^\n]*\n$/);
  });

  it.skipIf(skipped(!hasScript, 'a terminal that is closed', 'there is no script(1)'))(
    'can leave a checkpoint when its terminal is closed, and ends with its own code',
    async () => {
      const code = path.join(folder, 'code');
      const command = `trap '' HUP; ${process.execPath} ${script}; echo $? > ${code}`;
      const terminal = spawn('script', ['-qfc', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'ignore'] });
      await new Promise((resolve) => terminal.stdout.once('data', resolve));
      terminal.kill('SIGKILL');
      while (!fs.existsSync(code) || fs.statSync(code).size === 0) await delay(50);
      expect(fs.readFileSync(code, 'utf8')).toBe('130\n');
    },
  );

  it('goes on under nohup when the terminal is closed', async () => {
    const hangUp = (child: ChildProcess) => {
      child.kill('SIGHUP');
      setTimeout(() => child.kill('SIGKILL'), 300);
    };
    expect(await work([], hangUp, { _: '/usr/bin/nohup' })).toMatchObject({
      code: null,
      signal: 'SIGKILL',
      checkpoints: 0,
    });
  });
});

it('a command that waits for Ctrl-C ends also where it came before the command waited', async () => {
  const stop = new AbortController();
  const waiting = fired(stop.signal);
  stop.abort();
  await waiting;
  await fired(stop.signal);
});

it('nohup shows in the name of the command, or in a standard input that can only be written', () => {
  const fdinfo = path.join(folder, 'fdinfo');
  const flags = (octal: string) => fs.writeFileSync(fdinfo, `pos:\t0\nflags:\t${octal}\nmnt_id:\t1\n`);
  flags('0100001');
  expect(isHangupIgnored(undefined, fdinfo)).toBe(true);
  flags('0100002');
  expect(isHangupIgnored('/usr/bin/node', fdinfo)).toBe(false);
  expect(isHangupIgnored('nohup', fdinfo)).toBe(true);
  expect(isHangupIgnored(undefined, path.join(folder, 'nowhere'))).toBe(false);
});
