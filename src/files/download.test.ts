/** Downloads against a server that breaks off, lies, or knows no ranges. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listenOnLoopback } from '../../test/support/loopback.ts';
import { UserError } from '../base/errors.ts';
import { download } from './download.ts';

const content = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, i) => (i * 131) % 251));
const sha256 = createHash('sha256').update(content).digest('hex');
/** What a request asked for, and how the server is to behave. */
let asked: (string | undefined)[] = [];
let behaviour: 'whole' | 'ranges' | 'breaks off' | 'missing' = 'ranges';

const server = http.createServer((request, response) => {
  asked.push(request.headers.range);
  if (behaviour === 'missing') return void response.writeHead(404).end();
  const start = behaviour === 'whole' ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': content.length - start });
  if (behaviour !== 'breaks off') return void response.end(content.subarray(start));
  response.write(content.subarray(start, start + 30_000), () => response.destroy());
});

let url = '';
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-download-'));
const target = path.join(folder, 'deep', 'file.bin');
const part = `${target}.part`;

beforeAll(async () => {
  url = `${await listenOnLoopback(server)}/file.bin`;
});
afterAll(() => {
  server.close();
  fs.rmSync(folder, { recursive: true });
});
beforeEach(() => {
  asked = [];
  behaviour = 'ranges';
  fs.rmSync(path.dirname(target), { recursive: true, force: true });
});

const file = () => ({ url, sha256, bytes: content.length });

describe('download', () => {
  it('fetches a file once, and tells how far it is', async () => {
    const reported: [number, number][] = [];
    await download(file(), target, { onProgress: (done, total) => reported.push([done, total]) });
    expect(fs.readFileSync(target).equals(content)).toBe(true);
    expect(reported.at(-1)).toEqual([content.length, content.length]);
    await download(file(), target);
    expect(asked).toEqual([undefined]);
    expect(fs.existsSync(part)).toBe(false);
  });

  it('goes on where it broke off', async () => {
    behaviour = 'breaks off';
    await expect(download(file(), target)).rejects.toThrow(UserError);
    const kept = fs.statSync(part).size;
    expect(kept).toBeGreaterThan(0);
    expect(fs.existsSync(target)).toBe(false);
    behaviour = 'ranges';
    await download(file(), target);
    expect(asked).toEqual([undefined, `bytes=${kept}-`]);
    expect(fs.readFileSync(target).equals(content)).toBe(true);
  });

  it('starts again with a server that knows no ranges', async () => {
    fs.mkdirSync(path.dirname(target));
    fs.writeFileSync(part, content.subarray(0, 500));
    behaviour = 'whole';
    await download(file(), target);
    expect(fs.readFileSync(target).equals(content)).toBe(true);
  });

  it('keeps nothing that is not what was expected', async () => {
    await expect(download({ ...file(), sha256: sha256.replace(/^./, 'g') }, target)).rejects.toThrow(
      /its checksum differs/,
    );
    expect(fs.existsSync(target) || fs.existsSync(part)).toBe(false);
    // A wrong beginning from another time shows in the whole.
    fs.writeFileSync(part, Buffer.alloc(500));
    await expect(download(file(), target)).rejects.toThrow(UserError);
    await download(file(), target);
    expect(fs.readFileSync(target).equals(content)).toBe(true);
  });

  it('says in one line what went wrong', async () => {
    behaviour = 'missing';
    await expect(download(file(), target)).rejects.toThrow(/answers 404/);
    const nowhere = { ...file(), url: url.replace(/:\d+\//, ':1/') };
    const error = await download(nowhere, target).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toMatch(/^[^\n]*cannot be fetched[^\n]*$/);
  });

  it('stops when the signal fires', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(download(file(), target, { signal: controller.signal })).rejects.toThrow(/abort/i);
  });
});
