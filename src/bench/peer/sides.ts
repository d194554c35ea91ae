/** The two processes that are compared, behind one interface. */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { Caller, type Channel } from '../../base/calls.ts';
import { messageOf, UserError } from '../../base/errors.ts';
import { packageRoot } from '../../files/own-package.ts';
import type { PeerCalls } from './protocol.ts';

export interface Side {
  /** @throws Error with what went wrong on the other side. */
  readonly call: Caller<PeerCalls>['call'];
  close(): void;
}

/** Our side. */
export function startOurs(): Side {
  const child = fork(path.join(packageRoot(), 'dist', 'bench', 'peer', 'ours.js'), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return side('ours', child, {
    send: (message) => child.send(message),
    listen: (receive) => child.on('message', receive),
  });
}

/** PyTorch, with as many threads as we have. */
export function startPyTorch(python: string, threads: number): Side {
  const n = String(threads);
  const child = spawn(python, [script()], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env,
      OMP_NUM_THREADS: n,
      OPENBLAS_NUM_THREADS: n,
      MKL_NUM_THREADS: n,
      PYTHONDONTWRITEBYTECODE: '1',
    },
  });
  const lines = readline.createInterface({ input: child.stdout });
  return side('PyTorch', child, {
    send: (message) => child.stdin.write(`${JSON.stringify(message)}\n`),
    listen: (receive) => lines.on('line', (line) => receive(JSON.parse(line))),
  });
}

/** @throws UserError where the package was installed without it. */
function script(): string {
  const file = path.join(packageRoot(), 'bench', 'peer', 'peer.py');
  if (!existsSync(file))
    throw new UserError('bench/peer/peer.py is not here: run the comparison from a clone of the repository');
  return file;
}

function side(name: string, child: ChildProcess, channel: Channel): Side {
  const caller = new Caller<PeerCalls>(channel);
  child.on('error', (error) => caller.lose(error));
  child.on('exit', (code, signal) =>
    caller.lose(new Error(`${name} ended unexpectedly (${signal ?? `code ${code}`})`)),
  );
  return {
    call: (kind, request) =>
      caller.call(kind, request).catch((error: unknown) => {
        throw new Error(`${name}: ${messageOf(error)}`);
      }),
    close() {
      child.removeAllListeners('exit');
      child.kill('SIGKILL');
    },
  };
}
