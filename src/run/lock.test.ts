/** A run has one trainer at a time; whatever a killed one leaves behind does not stand in the way. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { lockRun } from './lock.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-lock-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));
const file = () => path.join(folder, 'lock.json');
const write = (owner: Record<string, unknown>) => fs.writeFileSync(file(), JSON.stringify(owner));
const since = '2026-01-01T00:00:00.000Z';

it('refuses a second owner by the name of the first, and leaves nothing behind', () => {
  const lock = lockRun(folder);
  expect(() => lockRun(folder)).toThrow(new RegExp(`is being trained by process ${process.pid} since `));
  lock.release();
  expect(fs.readdirSync(folder)).toEqual([]);
  lockRun(folder).release();
});

it('takes over from a process that is gone, whose number is another one now, or that was killed while it wrote', () => {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  write({ pid, host: os.hostname(), since });
  lockRun(folder).release();
  write({ pid: process.pid, host: os.hostname(), since, started: 'another boot 1' });
  lockRun(folder).release();
  fs.writeFileSync(file(), '{"pid": 1');
  lockRun(folder).release();
  expect(fs.readdirSync(folder)).toEqual([]);
});

it('believes another machine until its owner has not been heard of for ten minutes', () => {
  write({ pid: 1, host: 'another machine', since });
  expect(() => lockRun(folder)).toThrow(
    /by process 1 on another machine since .*; if it is long gone, delete .*lock\.json/,
  );
  const old = new Date(Date.now() - 11 * 60_000);
  fs.utimesSync(file(), old, old);
  lockRun(folder).release();
});

it('appears with its owner in it: nobody finds it empty while it is made', () => {
  const real = fs.linkSync;
  const link = vi.spyOn(fs, 'linkSync').mockImplementation((from, to) => {
    expect(fs.existsSync(to)).toBe(false);
    real(from, to);
    expect(JSON.parse(fs.readFileSync(to, 'utf8'))).toMatchObject({ pid: process.pid });
  });
  try {
    lockRun(folder).release();
    expect(link).toHaveBeenCalledOnce();
  } finally {
    link.mockRestore();
  }
  expect(fs.readdirSync(folder)).toEqual([]);
});

it('is made in place where the file system has no links', () => {
  const link = vi.spyOn(fs, 'linkSync').mockImplementation(() => {
    throw Object.assign(new Error('no links'), { code: 'EPERM' });
  });
  try {
    const lock = lockRun(folder);
    expect(() => lockRun(folder)).toThrow(/is being trained by process/);
    lock.release();
  } finally {
    link.mockRestore();
  }
  expect(fs.readdirSync(folder)).toEqual([]);
});

it('does not remove a lock that another process has taken meanwhile', () => {
  const lock = lockRun(folder);
  write({ pid: 1, host: 'another machine', since });
  lock.release();
  expect(fs.existsSync(file())).toBe(true);
});

it('lets one of many that take over a stale lock have it', () => {
  write({ pid: spawnSync(process.execPath, ['-e', '']).pid, host: os.hostname(), since });
  fs.writeFileSync(path.join(folder, 'lock.takeover'), 'of another');
  expect(() => lockRun(folder)).toThrow(/is being taken over by another process/);
  const old = new Date(Date.now() - 60_000);
  fs.utimesSync(path.join(folder, 'lock.takeover'), old, old);
  lockRun(folder).release();
  expect(fs.readdirSync(folder)).toEqual([]);
});
