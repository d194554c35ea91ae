/** `clipvq` as a process of its own: training, measuring, looking at pictures. What it prints goes into a file. */

import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../files/own-package.ts';
import { readTail } from '../../files/regular-file.ts';
import type { Progress } from '../protocol.ts';

const program = (): string => path.join(packageRoot(), 'bin', 'clipvq.cjs');

/** That of this process, without the folder that npm has set, and without options that are for this process alone. */
function environment(): NodeJS.ProcessEnv {
  const { INIT_CWD: _folder, npm_lifecycle_event: _event, NODE_OPTIONS: _options, ...rest } = process.env;
  return rest;
}

/**
 * Start a command that survives this process: in a session of its own, with its output at the end of `log` and its
 * result, with `result`, in that file.
 */
export function startCommand(args: readonly string[], log: string, result?: string): ChildProcess {
  fs.appendFileSync(log, `${MARK} ${new Date().toISOString()}: clipvq ${args[0]}\n`);
  const output = fs.openSync(log, 'a');
  const document = result === undefined ? output : fs.openSync(result, 'w');
  try {
    const child = spawn(process.execPath, [program(), ...args], {
      detached: true,
      stdio: ['ignore', document, output],
      env: environment(),
      windowsHide: true,
    });
    child.unref();
    return child;
  } finally {
    fs.closeSync(output);
    if (document !== output) fs.closeSync(document);
  }
}

/** How a process ended: its exit code, or undefined where a signal or the system ended it. */
export const ended = (child: ChildProcess): Promise<number | undefined> =>
  new Promise((resolve) => {
    child.once('error', () => resolve(undefined));
    child.once('exit', (code) => resolve(code ?? undefined));
  });

/** How the lines of a log begin that stand before the output of a process. */
const MARK = '==';

/** Bytes of a log that its last lines are taken from. */
const TAIL = 2 ** 16;

/** The last lines of a log, at most `most`; none if there is no log. */
export function lastLines(log: string, most: number): string[] {
  if (!fs.lstatSync(log, { throwIfNoEntry: false })?.isFile()) return [];
  const { text, isCut } = readTail(log, TAIL);
  const lines = text.split(/[\r\n]+/).filter(Boolean);
  return lines.slice(isCut ? 1 : 0).slice(-most);
}

/** What a failed command said last. */
export function failureIn(log: string, code: number | undefined): string {
  const lines = lastLines(log, 50);
  const own = lines.slice(lines.findLastIndex((line) => line.startsWith(MARK)) + 1);
  const last = own.findLast((line) => line.startsWith('clipvq: '));
  if (last !== undefined) return last.slice('clipvq: '.length);
  return code === undefined
    ? 'The process was ended by the system, perhaps for lack of memory: its log says how far it came'
    : `The process ended with code ${code}: its log says more`;
}

/** What a line of a command's display says of its progress. */
export function progressIn(line: string): Progress | undefined {
  const [, what, done, total] = /^(\S.*?)\s+(\d+)\/(\d+)\s/.exec(line) ?? [];
  return what === undefined ? undefined : { what, done: Number(done), total: Number(total), left: undefined };
}
