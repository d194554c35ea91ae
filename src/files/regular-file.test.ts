import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { skipped } from '../../test/support/skip.ts';
import { UserError } from '../base/errors.ts';
import { openRegular, openRegularHandle, readRegular, readText } from './regular-file.ts';

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-regular-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

const at = (name: string) => path.join(folder, name);

async function refusals(file: string): Promise<string[]> {
  const messages: string[] = [];
  for (const attempt of [() => openRegular(file), () => readText(file), () => openRegularHandle(file)]) {
    const error: unknown = await (async () => attempt())().catch((e) => e);
    expect(error).toBeInstanceOf(UserError);
    messages.push((error as UserError).message);
  }
  return messages;
}

it.skipIf(skipped(process.platform === 'win32', 'FIFOs', 'Windows has none'))(
  'refuses FIFOs, sockets, devices and folders at once, naming them',
  async () => {
    execFileSync('mkfifo', [at('fifo')]);
    fs.symlinkSync('fifo', at('link'));
    const server = createServer().listen(at('socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    const found = { fifo: 'a FIFO', link: 'a FIFO', socket: 'a socket', '.': 'a folder' };
    for (const [name, kind] of Object.entries(found))
      for (const message of await refusals(at(name))) expect(message).toContain(`${at(name)} is ${kind}`);
    for (const message of await refusals('/dev/zero')) expect(message).toContain('/dev/zero is a device, not a file');
    for (const message of await refusals(at('gone'))) expect(message).toContain('no such file');
    await new Promise((resolve) => server.close(resolve));
  },
);

it('refuses a file that is larger than it may be, before reading it', () => {
  const file = at('sparse');
  fs.closeSync(fs.openSync(file, 'w'));
  fs.truncateSync(file, 5 * 2 ** 30);
  expect(() => readText(file)).toThrow(/sparse is 5120 MiB, more than the 256 MiB/);
});

it('reads what is a file', () => {
  fs.writeFileSync(at('text'), '\ufeffwords');
  expect(readText(at('text'))).toBe('words');
  expect(readRegular(at('text'), 8).length).toBe(8);
});
