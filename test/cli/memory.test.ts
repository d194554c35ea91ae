/** `train --memory` as the kernel sees it: the most that the process ever held, with a limit and without. */

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readLog } from '../support/run-log.ts';
import { skipped } from '../support/skip.ts';

const cli = path.resolve('bin/clipvq.cjs');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-memory-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

const TRAIN = ['train', '--data', 'faces', '--stage', 'tokenizer', '--threads', '1'];

/**
 * A tokenizer whose activations are most of what it needs: few, thin layers over all pixels of large pictures. Few
 * pictures and codes, because drawing pictures and noise takes time and no memory.
 */
const HEAVY = [
  ...['imageSize=128', 'images=8', 'tokenizer.steps=2', 'tokenizer.batch=8', 'tokenizer.patchSize=1'],
  ...['tokenizer.channels=8', 'tokenizer.channelMultipliers=[1]', 'tokenizer.middleAttention=false'],
  ...['tokenizer.normGroups=4', 'tokenizer.residualBlocks=1', 'tokenizer.codes=16'],
  'tokenizer.autoencoderFraction=0',
  'tokenizer.perceptualWeight=0',
].flatMap((setting) => ['--set', setting]);

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** VmHWM as last read from outside, in bytes. */
  readonly seen: number;
}

function train(...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [cli, ...TRAIN, ...args], {
    cwd: folder,
  });
  const [stdout, stderr]: [string[], string[]] = [[], []];
  child.stdout.on('data', (text) => stdout.push(`${text}`));
  child.stderr.on('data', (text) => stderr.push(`${text}`));
  let seen = 0;
  const watch = setInterval(() => {
    try {
      const status = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8');
      seen = 1024 * Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? seen / 1024);
    } catch {
      // It has ended.
    }
  }, 10);
  return new Promise((resolve) => {
    child.on('close', (status) => {
      clearInterval(watch);
      resolve({ status, stdout: stdout.join(''), stderr: stderr.join(''), seen });
    });
  });
}

const absent = skipped(
  process.platform !== 'linux',
  'train --memory',
  'only Linux tells how much a process has ever held',
);

describe.skipIf(absent)('train --memory', () => {
  it('keeps a process under a limit that it would otherwise exceed, and learns the same', async () => {
    const limit = 470e6;
    const free = await train('--run', 'free', '--json', ...HEAVY);
    expect(free.status, free.stderr).toBe(0);
    expect(free.seen).toBeGreaterThan(limit);
    expect(free.stderr).not.toMatch(/parts/);

    const bound = await train('--run', 'bound', '--json', '--memory', '470M', ...HEAVY);
    expect(bound.status, bound.stderr).toBe(0);
    expect(bound.stderr).toMatch(/^tokenizer: batch 8 in \d+ parts of \d+ to stay under 470 MB: about \d+ MB$/m);
    const { peakBytes } = JSON.parse(bound.stdout) as { peakBytes: number };
    expect(peakBytes).toBeGreaterThanOrEqual(bound.seen);
    expect(peakBytes).toBeLessThan(limit);

    const [one, many] = [readLog(path.join(folder, 'free')), readLog(path.join(folder, 'bound'))];
    // The second step is that of weights that the first has changed.
    expect(many).toHaveLength(2);
    one.forEach(({ loss }, step) => {
      expect(many[step]!.loss / loss).toBeCloseTo(1, 3);
    });
    expect(many[0]!.activationBytes).toBeLessThan(one[0]!.activationBytes! / 2);
  });
});
