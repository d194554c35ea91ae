/** The two processes that are compared, behind one interface. */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../base/errors.ts';
import type { Answer, Answers, Request } from './protocol.ts';

export interface Side {
  /** @throws Error with what went wrong on the other side. */
  ask<R extends Request>(request: R): Promise<Answers[R['kind']]>;
  close(): void;
}

/** Our side. */
export function startOurs(): Side {
  const child = fork(fileURLToPath(new URL('./ours.js', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return side('ours', child, {
    send: (request) => child.send(request),
    listen: (hear) => child.on('message', (message) => hear(message as Answer)),
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
    send: (request) => child.stdin.write(`${JSON.stringify(request)}\n`),
    listen: (hear) => lines.on('line', (line) => hear(JSON.parse(line) as Answer)),
  });
}

/** @throws UserError where the package was installed without it. */
function script(): string {
  const root = path.dirname(createRequire(import.meta.url).resolve('clip-vqdiffusion/package.json'));
  const file = path.join(root, 'bench', 'peer', 'peer.py');
  if (!existsSync(file))
    throw new UserError('bench/peer/peer.py is not here: run the comparison from a clone of the repository');
  return file;
}

interface Channel {
  send(request: Request): void;
  listen(hear: (answer: Answer) => void): void;
}

function side(name: string, child: ChildProcess, { send, listen }: Channel): Side {
  let settle: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
    settle?.reject(failure);
  };
  listen((answer) => settle?.resolve(answer));
  child.on('error', fail);
  child.on('exit', (code, signal) => fail(new Error(`${name} ended unexpectedly (${signal ?? `code ${code}`})`)));

  const ask = (request: Request) =>
    new Promise<Answer>((resolve, reject) => {
      settle = { resolve, reject };
      if (failure) reject(failure);
      else send(request);
    });
  return {
    async ask<R extends Request>(request: R): Promise<Answers[R['kind']]> {
      const answer = await ask(request);
      if ('error' in answer) throw new Error(`${name}: ${answer.error}`);
      return answer as Answers[R['kind']];
    },
    close() {
      child.removeAllListeners('exit');
      child.kill('SIGKILL');
    },
  };
}
