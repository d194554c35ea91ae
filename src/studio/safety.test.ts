/**
 * The studio left open: what strangers, hostile pages and broken clients send is answered, and nothing else happens.
 */

import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import yazl from 'yazl';
import { chunk } from '../../test/support/png-chunk.ts';
import { Browser, startTinyStudio } from '../../test/support/studio.ts';
import { Hosts, Rate } from './http/guard.ts';
import type { RunningStudio } from './http/server.ts';
import type { DataList, Job, Picture } from './protocol.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-safety-'));
const pages = path.join(folder, 'pages');
const SECRET = 'a secret of this machine';
let running: RunningStudio;
let browser: Browser;
const faults: unknown[] = [];

beforeAll(async () => {
  fs.mkdirSync(pages);
  fs.writeFileSync(path.join(folder, 'secret.txt'), SECRET);
  fs.writeFileSync(path.join(pages, 'index.html'), '<!doctype html><title>page</title>');
  fs.writeFileSync(path.join(pages, 'main.js'), 'export {};');
  fs.symlinkSync(path.join(folder, 'secret.txt'), path.join(pages, 'link.js'));
  running = await startTinyStudio(folder, { pages, onFault: (error) => faults.push(error) });
  browser = await Browser.open(running.address);
});
afterAll(async () => {
  await running?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** A request exactly as it is written: no browser would send some of these. */
function raw(target: string, { method = 'GET', headers = {}, body }: RawOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { cookie: browser.cookie, ...headers };
    const known = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
    const options = { host: '127.0.0.1', port: running.port, path: target, method, headers: known, agent: false };
    const request = http.request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString(), headers: response.headers }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}
interface RawOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const json = { 'content-type': 'application/json' };
const post = (target: string, body: string | Uint8Array, headers: Readonly<Record<string, string>> = json) =>
  raw(target, { method: 'POST', body, headers });

describe('the door', () => {
  it('opens once for a token, to a cookie that scripts cannot read', async () => {
    expect(browser.setCookie).toMatch(/^clipvq-studio-\d+=[\w-]{32}; Path=\/; HttpOnly; SameSite=Strict$/);
    const again = await fetch(running.address);
    expect(again.status).toBe(401);
    expect(again.headers.get('set-cookie')).toBeNull();
  });

  it.each([
    ['no cookie', { cookie: '' }],
    ['a wrong cookie', { cookie: 'clipvq-studio-1=x' }],
    ['the cookie of another', { cookie: `clipvq-studio-${'x'.repeat(40)}` }],
  ])('is closed with %s', async (_, headers) => {
    for (const address of ['/api/state', '/api/events', '/', '/main.js']) {
      const { status, text } = await raw(address, { headers });
      expect([address, status]).toEqual([address, 401]);
      expect(text).not.toContain('export');
    }
    expect((await raw('/?token=wrong', { headers })).status).toBe(401);
    expect((await post('/api/jobs', '{"kind":"create","prompt":"x"}', { ...json, ...headers })).status).toBe(401);
  });

  it('is closed to other hosts, and to pages of others', async () => {
    const host = `127.0.0.1:${running.port}`;
    for (const forged of ['evil.example', `evil.example:${running.port}`, '127.0.0.1', '127.0.0.1:1'])
      expect([forged, (await raw('/api/state', { headers: { host: forged } })).status]).toEqual([forged, 421]);
    expect((await raw('/api/state', { headers: { host: `localhost:${running.port}` } })).status).toBe(200);
    for (const origin of ['http://evil.example', 'null', `https://${host}`, `http://localhost:${running.port}`])
      expect([origin, (await raw('/api/state', { headers: { origin, host } })).status]).toEqual([origin, 403]);
    expect((await raw('/api/state', { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403);
    expect((await raw('/api/state', { headers: { origin: `http://${host}`, host } })).status).toBe(200);
    const from = (dest: string) => raw('/', { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': dest } });
    for (const dest of ['image', 'iframe', 'empty']) expect([dest, (await from(dest)).status]).toEqual([dest, 403]);
    expect((await from('document')).status).toBe(200);
  });

  it('knows its own names where other machines may come: addresses, and no name that is not its own', () => {
    const [wide, narrow] = [new Hosts('0.0.0.0'), new Hosts('127.0.0.1')];
    expect(wide.isOwn('192.168.1.7:80', 80)).toBe(true);
    expect(wide.isOwn('[fe80::1]:80', 80)).toBe(true);
    expect(wide.isOwn('evil.example:80', 80)).toBe(false);
    expect(narrow.isOwn('192.168.1.7:80', 80)).toBe(false);
    expect(narrow.isOwn(undefined, 80)).toBe(false);
  });

  it('sends a strict policy with everything', async () => {
    for (const address of ['/', '/api/state', '/nothing', '/api/nothing']) {
      const { headers } = await raw(address);
      expect(headers['content-security-policy']).toMatch(/default-src 'none'; script-src 'self'; style-src 'self'/);
      expect(headers['content-security-policy']).not.toContain('unsafe');
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
  });
});

describe('addresses', () => {
  it.each([
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e%2f%2e%2e%2fsecret.txt',
    '/..%5csecret.txt',
    '/..\\secret.txt',
    '//secret.txt',
    '//127.0.0.1/secret.txt',
    '/main.js%00.txt',
    '/%00',
    '/C:/Windows/win.ini',
    '/c%3a%5cWindows%5cwin.ini',
    '/link.js',
    '/%c0%ae%c0%ae/secret.txt',
    '/%',
    '/api/pictures/..%2f..%2fsecret.txt',
    '/api/pictures/%2e%2e%2fpictures.jsonl',
    '/api/pictures/x%00.png',
    '/api/data/..%2f..',
    '/api/data/%2e%2e/check',
    '/api/data/C:%5c/sheet.png',
    '/api/runs/..%2f..%2fmodel',
    '/api/runs/x/sheets/..%2frun.json',
    '/api/reports/..%2f..%2fstudio/page',
    '/api/reports/%2e%2e/page',
    '/api/jobs/..%2fx/animation.webp',
    '/api/runs/compare?a=../model&b=..%2fmodel',
    'http://evil.example/secret.txt',
  ])('lead nowhere: %s', async (target) => {
    const { status, text } = await raw(target);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(text).not.toContain(SECRET);
  });

  it('serve the page with its type, and nothing again that has not changed', async () => {
    const { status, headers } = await raw('/main.js');
    expect([status, headers['content-type']]).toEqual([200, 'text/javascript; charset=utf-8']);
    expect((await raw('/main.js', { headers: { 'if-none-match': headers.etag! } })).status).toBe(304);
  });
});

describe('bodies', () => {
  it('are refused when they are no JSON, of another type, too large, or not what is expected', async () => {
    expect((await post('/api/jobs', '{"kind":')).status).toBe(400);
    expect((await post('/api/jobs', new Uint8Array([0xff, 0xfe, 0x00]))).status).toBe(400);
    expect((await post('/api/jobs', '{"kind":"create","prompt":"x"}', { 'content-type': 'text/plain' })).status).toBe(
      400,
    );
    expect((await post('/api/jobs', `"${'x'.repeat(2 ** 20)}"`)).status).toBe(413);
    expect((await post('/api/jobs', '['.repeat(100_000))).status).toBe(400);
    for (const body of [
      'null',
      '[]',
      '{}',
      '{"kind":"create"}',
      '{"kind":"__proto__"}',
      '{"kind":"resume","run":"../x"}',
    ])
      expect([body, (await post('/api/jobs', body)).status]).toEqual([body, 400]);
    const train = { kind: 'train', data: 'faces', preset: 'nano' };
    for (const wrong of [
      { name: '../x' },
      { name: '-rf' },
      { changes: { 'clip.imageTower': '/etc' } },
      { preset: '--help' },
    ])
      expect((await post('/api/jobs', JSON.stringify({ ...train, ...wrong }))).status).toBe(400);
    expect((await post('/api/jobs', JSON.stringify({ ...train, data: '/etc' }))).status).toBe(400);
    expect((await post('/api/jobs', JSON.stringify({ kind: 'create', prompt: 'x'.repeat(3000) }))).status).toBe(400);
  });

  it('of pictures are decoded within bounds, and never kept as they are', async () => {
    expect((await post('/api/pictures/import?name=x', '', {})).status).toBe(400);
    expect((await post('/api/pictures/import?name=x', '<script>alert(1)</script>', {})).status).toBe(400);
    expect((await post('/api/pictures/import', new Uint8Array(33 * 2 ** 20), {})).status).toBe(413);
    const huge = Buffer.alloc(13);
    huge.writeUInt32BE(60_000, 0);
    huge.writeUInt32BE(60_000, 4);
    huge.set([8, 2, 0, 0, 0], 8);
    const bomb = Buffer.concat([
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
      ...[chunk('IHDR', huge), chunk('IDAT', Buffer.from([0])), chunk('IEND', Buffer.alloc(0))],
    ]);
    expect((await post('/api/pictures/import?name=bomb.png', bomb, {})).status).toBe(400);
    const entities = [...'bcdefghij'].map((name, i) => `<!ENTITY ${name} "${`&${'abcdefghi'[i]};`.repeat(10)}">`);
    const laughs = `<!DOCTYPE svg [<!ENTITY a "ha">${entities.join('')}]><svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><text>&j;</text></svg>`;
    expect((await post('/api/pictures/import?name=laughs.svg', laughs, {})).status).toBe(400);
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><script>alert(1)</script></svg>';
    const name = encodeURIComponent('"><img src=x onerror=alert(1)>.svg');
    const { status, text } = await post(`/api/pictures/import?name=${name}`, svg, {});
    expect(status).toBe(201);
    const { picture } = JSON.parse(text) as { picture: Picture };
    const { headers, text: kept } = await raw(`/api/pictures/${picture.id}.png`);
    expect(headers['content-type']).toBe('image/png');
    expect(kept).not.toContain('script');
  });

  const zipOf = async (...entries: (readonly [name: string, bytes: Buffer])[]): Promise<Buffer> => {
    const zip = new yazl.ZipFile();
    for (const [name, bytes] of entries) zip.addBuffer(bytes, name);
    zip.end();
    const chunks: Buffer[] = [];
    for await (const part of zip.outputStream) chunks.push(part as Buffer);
    return Buffer.concat(chunks);
  };

  it('of sets are archives of pictures: no bombs, no names that lead out, nothing unpacked', async () => {
    const upload = (bytes: Uint8Array | string, headers = {}) => post('/api/data/upload?name=x.zip', bytes, headers);
    expect((await upload('no archive')).status).toBe(400);
    expect((await upload('')).status).toBe(400);
    expect((await upload('PK\x03\x04 and nothing')).status).toBe(400);
    expect((await upload(await zipOf(['readme.txt', Buffer.from('x')]))).status).toBe(400);
    const bomb = await upload(await zipOf(['a.png', Buffer.alloc(2 ** 24)]));
    expect([bomb.status, bomb.text]).toEqual([400, expect.stringMatching(/unpack/)]);
    // The name is changed in the bytes: the packer would refuse it.
    const traversal = (await zipOf(['xx/yy/secret.png', Buffer.from(SECRET)])).toString('latin1');
    const led = await upload(Buffer.from(traversal.replaceAll('xx/yy/secret', '../../secret'), 'latin1'));
    expect(led.status).toBe(201);
    expect(fs.readdirSync(folder)).not.toContain('secret.png');
    const announced = await raw('/api/data/upload?name=x', {
      ...{ method: 'POST', headers: { 'content-length': `${2 ** 40}`, expect: '100-continue' } },
    }).catch(() => undefined);
    expect(announced?.status ?? 413).toBe(413);
    const { sets } = await browser.get<DataList>('/api/data');
    expect(sets).toHaveLength(1);
    expect(fs.readdirSync(path.join(folder, 'studio', 'sets')).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});

describe('a crowd', () => {
  const create = { kind: 'create', prompt: 'a hat', seed: 3, count: 2 };
  const pictureOf = async ({ id }: Job): Promise<string> => {
    const { pictures } = await browser.until(id, 'done');
    return (await raw(`/api/pictures/${pictures[1]}.png`)).text;
  };

  it('of 200 requests, half-sent ones and streams that are left does not disturb what is drawn', async () => {
    const quiet = await pictureOf(await browser.post<Job>('/api/jobs', create));
    const job = await browser.post<Job>('/api/jobs', create);
    const slow = Array.from({ length: 20 }, () => {
      const socket = net.connect(running.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1:${running.port}\r\nContent-Length: 100\r\n`);
      return socket;
    });
    const streams = Array.from({ length: 10 }, async () => {
      const stop = new AbortController();
      const response = await browser.fetch('/api/events', { signal: stop.signal });
      await response.body!.getReader().read();
      stop.abort();
    });
    const statuses = await Promise.all(Array.from({ length: 200 }, async () => (await raw('/api/pictures')).status));
    expect(new Set(statuses)).toEqual(new Set([200]));
    await Promise.all(streams);
    expect(await pictureOf(job)).toBe(quiet);
    for (const socket of slow) socket.destroy();
    for (let i = 0; i < 100 && running.studio.events.listeners > 0; i++)
      await new Promise((done) => setTimeout(done, 20));
    expect(running.studio.events.listeners).toBe(0);
  });

  it('that queues without end is told to wait', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 60; i++)
      statuses.push((await post('/api/jobs', JSON.stringify({ ...create, count: 64 }))).status);
    expect(statuses.slice(0, 50).every((status) => status === 201)).toBe(true);
    expect(statuses.at(-1)).toBe(429);
    for (const { id } of running.studio.jobs.list) await running.studio.jobs.cancel(id);
    const rate = new Rate();
    const refused = Array.from({ length: 2000 }, () => rate.isTooMuch()).filter(Boolean);
    expect(refused.length).toBeGreaterThan(1000);
  });

  it('has left no fault behind', () => {
    expect(faults).toEqual([]);
  });
});
