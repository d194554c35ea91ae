/** Atomic writes: whole or absent, whatever fails on the way, and no litter. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UserError } from '../base/errors.ts';
import { sweepTemporaries, writeFileAtomic, writeStreamAtomic } from './atomic.ts';

let folder = '';
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'atomic-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(folder, { recursive: true, force: true });
});

function failure(action: () => unknown): UserError {
  try {
    action();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: refused`), { code, syscall });
}

describe('writeStreamAtomic', () => {
  it('is not swept away while it waits for its next chunk, and leaves nothing behind when that fails', async () => {
    const path = join(folder, 'file');
    async function* chunks(ending?: Error): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(1, 2);
      expect(sweepTemporaries(folder)).toEqual([]);
      if (ending) throw ending;
      yield Uint8Array.of(3);
    }
    await writeStreamAtomic(path, chunks());
    await expect(writeStreamAtomic(path, chunks(new Error('no more')))).rejects.toThrow('no more');
    expect([...fs.readFileSync(path)]).toEqual([1, 2, 3]);
    expect(fs.readdirSync(folder)).toEqual(['file']);
  });
});

describe('writeFileAtomic', () => {
  it('writes text, bytes and chunks', () => {
    const path = join(folder, 'file');
    writeFileAtomic(path, 'réel');
    expect(fs.readFileSync(path, 'utf8')).toBe('réel');
    writeFileAtomic(path, Uint8Array.of(1, 2, 3));
    expect([...fs.readFileSync(path)]).toEqual([1, 2, 3]);
    writeFileAtomic(path, [Uint8Array.of(4), new Uint8Array(0), Uint8Array.of(5, 6)]);
    expect([...fs.readFileSync(path)]).toEqual([4, 5, 6]);
    expect(fs.readdirSync(folder)).toEqual(['file']);
  });

  it('shows the old file until the new one is complete', () => {
    const path = join(folder, 'file');
    writeFileAtomic(path, 'old');
    function* chunks(): Generator<Uint8Array> {
      yield Buffer.from('ne');
      expect(fs.readFileSync(path, 'utf8')).toBe('old');
      expect(fs.readdirSync(folder)).toHaveLength(2);
      yield Buffer.from('w');
    }
    writeFileAtomic(path, chunks());
    expect(fs.readFileSync(path, 'utf8')).toBe('new');
  });

  it('writes everything when the system takes only a part at a time', () => {
    const path = join(folder, 'file');
    const write = fs.writeSync;
    vi.spyOn(fs, 'writeSync').mockImplementation(((file: number, bytes: Uint8Array, at: number, length: number) =>
      write(file, bytes, at, Math.min(3, length))) as typeof fs.writeSync);
    writeFileAtomic(path, 'ten letters');
    expect(fs.readFileSync(path, 'utf8')).toBe('ten letters');
  });

  it.each([
    ['writeSync', 'ENOSPC', /no space left/],
    ['fsyncSync', 'EDQUOT', /quota/],
    ['renameSync', 'EACCES', /permission denied/],
    ['openSync', 'EROFS', /read-only/],
  ] as const)('keeps the old file and leaves nothing when %s fails with %s', (call, code, message) => {
    const path = join(folder, 'file');
    writeFileAtomic(path, 'old');
    vi.spyOn(fs, call).mockImplementation(() => {
      throw systemError(code, call);
    });
    const error = failure(() => writeFileAtomic(path, 'new'));
    vi.restoreAllMocks();
    expect(error.message).toMatch(message);
    expect(error.message).toContain(path);
    expect(error.message).not.toContain('\n');
    expect(fs.readdirSync(folder)).toEqual(['file']);
    expect(fs.readFileSync(path, 'utf8')).toBe('old');
  });

  it('refuses a missing folder, a file in the place of a folder, and a folder in the place of the file', () => {
    writeFileAtomic(join(folder, 'file'), 'x');
    fs.mkdirSync(join(folder, 'sub', 'full'), { recursive: true });
    expect(failure(() => writeFileAtomic(join(folder, 'missing', 'file'), 'x')).message).toMatch(
      /no such file or folder/,
    );
    expect(failure(() => writeFileAtomic(join(folder, 'file', 'file'), 'x')).message).toMatch(/not a folder/);
    expect(failure(() => writeFileAtomic(join(folder, 'sub'), 'x')).message).toMatch(/this is a folder/);
    expect(fs.readdirSync(folder).sort()).toEqual(['file', 'sub']);
  });

  it('passes other errors of the chunks through, after cleaning up', () => {
    const mistake = new RangeError('no such tensor');
    function* chunks(): Generator<Uint8Array> {
      yield Uint8Array.of(1);
      throw mistake;
    }
    expect(() => writeFileAtomic(join(folder, 'file'), chunks())).toThrow(mistake);
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  it('does without flushing the folder where the system cannot', () => {
    const flush = fs.fsyncSync;
    vi.spyOn(fs, 'fsyncSync').mockImplementation((handle) => {
      if (fs.fstatSync(handle).isDirectory()) throw systemError('EINVAL', 'fsync');
      flush(handle);
    });
    writeFileAtomic(join(folder, 'file'), 'x');
    expect(fs.readdirSync(folder)).toEqual(['file']);
  });
});

describe('sweepTemporaries', () => {
  it('removes what killed writers left, and nothing else', () => {
    // The name of a temporary, observed from within a write.
    let own = '';
    function* chunks(): Generator<Uint8Array> {
      own = fs.readdirSync(folder)[0]!;
      yield Uint8Array.of(1);
    }
    writeFileAtomic(join(folder, 'model.safetensors'), chunks());
    const ended = spawnSync(process.execPath, ['-e', '']).pid;
    const dead = own.replace(`.${process.pid}-`, `.${ended}-`);
    const alive = own.replace(`.${process.pid}-`, `.${process.ppid}-`);
    const otherThread = own.replace(/-\d+\.tmp$/, '-999999.tmp');
    const unrelated = ['.hidden.tmp', 'notes.1-2.tmp', '.x.12.tmp'];
    for (const name of [own, dead, alive, otherThread, ...unrelated]) fs.writeFileSync(join(folder, name), 'part');

    expect(sweepTemporaries(folder).sort()).toEqual([own, dead].sort());
    expect(fs.readdirSync(folder).sort()).toEqual([alive, otherThread, ...unrelated, 'model.safetensors'].sort());
  });

  it('finds nothing in a missing folder and refuses a file', () => {
    expect(sweepTemporaries(join(folder, 'missing'))).toEqual([]);
    fs.writeFileSync(join(folder, 'file'), '');
    expect(failure(() => sweepTemporaries(join(folder, 'file'))).message).toMatch(/clean up/);
  });
});
