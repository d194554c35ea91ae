/**
 * Models from a hub on the loopback: whole, broken off, wrong, gated, unknown, through a proxy, and without a network.
 */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { TINY_CLIP, type TinyKind, writeTinyClip } from '../../../test/support/tiny-clip.ts';
import { UserError } from '../../base/errors.ts';
import { openEmbedder } from '../embedder.ts';
import { chooseFiles } from './clip-files.ts';
import { clipName, isToBeFetched } from './clip-source.ts';
import { fetchFromHub } from './hub.ts';

const SHA = '0123456789abcdef0123456789abcdef01234567';
const folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-hub-'));
const models: Record<string, string> = {};
/** Requests as they came: method, path and range. */
let asked: { method: string; url: string; range?: string | undefined; authorization?: string | undefined }[] = [];
let behaviour: 'whole' | 'cut' | 'lie' | 'gated' = 'whole';

/** The hub: the listing of a model, and its files, the large ones on another path that they are redirected to. */
const server = http.createServer((request, response) => {
  const { method = '', headers } = request;
  // Through a proxy the address is whole.
  const url = new URL(request.url!, 'http://hub').pathname;
  asked.push({ method, url, range: headers.range, authorization: headers.authorization });
  const [, listed] = /^\/api\/models\/(.+)\/revision\/main$/.exec(url) ?? [];
  const [, name, file] = /^\/(tiny\/\w+)\/resolve\/[0-9a-f]{40}\/(.+)$/.exec(url) ?? [];
  const model = models[listed ?? name ?? ''];
  if (behaviour === 'gated' && headers.authorization !== 'Bearer good') return void response.writeHead(401).end();
  if (listed !== undefined && model) {
    const siblings = fs.readdirSync(model, { recursive: true }).map((rfilename) => ({ rfilename: String(rfilename) }));
    return void response.end(JSON.stringify({ sha: SHA, siblings }));
  }
  if (!model || file === undefined || !fs.existsSync(path.join(model, file))) return void response.writeHead(404).end();
  serve(response, path.join(model, file), method, headers.range);
});

function serve(response: http.ServerResponse, file: string, method: string, range: string | undefined): void {
  const content = fs.readFileSync(file);
  const isLarge = file.endsWith('.onnx');
  const tag = isLarge
    ? createHash('sha256').update(content).digest('hex')
    : createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  if (method === 'HEAD') {
    const own = isLarge
      ? { 'x-linked-etag': `"${tag}"`, 'x-linked-size': content.length, location: '/elsewhere' }
      : { etag: `W/"${tag}"`, 'content-length': content.length };
    return void response.writeHead(isLarge ? 302 : 200, own).end();
  }
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const body = behaviour === 'lie' && isLarge ? content.map((byte) => byte ^ 1) : content;
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': content.length - start });
  if (behaviour !== 'cut' || !isLarge || start > 0) return void response.end(body.subarray(start));
  response.write(body.subarray(0, Math.floor(content.length / 2)), () => setTimeout(() => response.destroy(), 20));
}

let cacheDir: string;
let caches = 0;
beforeAll(async () => {
  for (const kind of ['clip', 'siglip', 'joint'] as const) {
    models[`tiny/${kind}`] = path.join(folder, 'models', kind);
    fs.mkdirSync(path.join(folder, 'models'), { recursive: true });
    writeTinyClip(models[`tiny/${kind}`]!, kind);
  }
  models['tiny/words'] = path.join(folder, 'models', 'words');
  fs.mkdirSync(models['tiny/words']!);
  for (const name of ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json'])
    fs.copyFileSync(path.join(models['tiny/clip']!, name), path.join(models['tiny/words']!, name));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  fs.rmSync(folder, { recursive: true });
});
beforeEach(() => {
  asked = [];
  behaviour = 'whole';
  cacheDir = path.join(folder, `cache-${caches++}`);
  vi.stubEnv('HF_ENDPOINT', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  for (const name of [
    'HF_TOKEN',
    'HF_HUB_OFFLINE',
    'HTTP_PROXY',
    'http_proxy',
    'ALL_PROXY',
    'all_proxy',
    'NO_PROXY',
    'no_proxy',
  ])
    vi.stubEnv(name, '');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const refusal = async (opening: Promise<unknown>): Promise<string> => {
  const error: unknown = await opening.then(
    () => undefined,
    (e) => e,
  );
  expect(error).toBeInstanceOf(UserError);
  expect(String(error)).not.toContain('\n');
  return String(error);
};
const picture = (value: number) => ({ width: 16, height: 16, data: new Uint8Array(768).fill(value) });

describe('any dual encoder', () => {
  it.each(['clip', 'siglip', 'joint'] as const)(
    '%s: fetched, opened, and the same as the others',
    async (kind: TinyKind) => {
      const reported: [number, number][] = [];
      const clip = await openEmbedder(`tiny/${kind}`, {
        cacheDir,
        threads: 1,
        onProgress: (done, total) => reported.push([done, total]),
      });
      const local = await openEmbedder(models['tiny/clip']!, { threads: 1 });
      try {
        expect([clip.dim, clip.contextLength]).toEqual([TINY_CLIP.dim, TINY_CLIP.context]);
        expect(reported.at(-1)![0]).toBe(reported.at(-1)![1]);
        const texts = ['a red hat', 'green trees', 'a shoe'];
        const [own, theirs] = [await clip.embedTexts(texts), await local.embedTexts(texts)];
        own.forEach((x, i) => {
          expect(x).toBeCloseTo(theirs[i]!, 5);
        });
        // In company or alone, a text is the same, and of unit length.
        const alone = await clip.embedTexts([texts[1]!]);
        alone.forEach((x, i) => {
          expect(x).toBeCloseTo(own[TINY_CLIP.dim + i]!, 5);
        });
        expect(Math.hypot(...alone)).toBeCloseTo(1, 5);
        const images = [picture(0), picture(200), picture(90)];
        const [seen, known] = [await clip.embedImages(images), await local.embedImages(images)];
        seen.forEach((x, i) => {
          expect(x).toBeCloseTo(known[i]!, 5);
        });
      } finally {
        await Promise.all([clip.close(), local.close()]);
      }
    },
  );

  it('takes what there is, full precision and two networks first', () => {
    const common = ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json'];
    const onnx = ['text_model', 'text_model_quantized', 'vision_model', 'vision_model_quantized', 'model'];
    const files = onnx.map((name) => `onnx/${name}.onnx`);
    expect(chooseFiles([...common, ...files, 'onnx/text_model.onnx_data', 'README.md'])).toEqual([
      ...common,
      'onnx/text_model.onnx',
      'onnx/vision_model.onnx',
      'onnx/text_model.onnx_data',
    ]);
    expect(chooseFiles([...common, files[1]!, files[3]!])).toEqual([...common, files[1], files[3]]);
    expect(chooseFiles([...common, files[0]!, files[4]!])).toEqual([...common, files[4]]);
    expect(chooseFiles([...common, files[0]!])).toMatch(/^lacks onnx/);
    expect(chooseFiles(common.slice(1))).toBe('lacks config.json');
  });
});

describe('fetching', () => {
  it('asks once, and then never again, with or without a network', async () => {
    const first = await fetchFromHub('tiny/clip', { cacheDir });
    expect(first.endsWith(SHA)).toBe(true);
    const requests = asked.length;
    expect(await fetchFromHub('tiny/clip', { cacheDir })).toBe(first);
    expect(await fetchFromHub('tiny/clip', { cacheDir, offline: true })).toBe(first);
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    expect(await fetchFromHub('tiny/clip', { cacheDir })).toBe(first);
    expect(asked.length).toBe(requests);
  });

  it('takes up again what was cut midway, by a range', async () => {
    behaviour = 'cut';
    const fetched = await fetchFromHub('tiny/clip', { cacheDir });
    const size = fs.statSync(path.join(models['tiny/clip']!, 'onnx/vision_model.onnx')).size;
    expect(asked.filter(({ range }) => range !== undefined).length).toBeGreaterThanOrEqual(2);
    for (const { range } of asked) if (range !== undefined) expect(range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(fs.statSync(path.join(fetched, 'onnx/vision_model.onnx')).size).toBe(size);
    expect(fs.readdirSync(path.join(fetched, 'onnx')).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('keeps nothing that is not what the hub describes', async () => {
    behaviour = 'lie';
    expect(await refusal(fetchFromHub('tiny/clip', { cacheDir }))).toMatch(/text_model\.onnx is not the expected file/);
    expect(fs.existsSync(path.join(cacheDir, 'hub', 'tiny', 'clip', SHA, 'onnx', 'text_model.onnx'))).toBe(false);
    behaviour = 'whole';
    await fetchFromHub('tiny/clip', { cacheDir });
  });

  it('shows a token to a gated model, and says when one is missing', async () => {
    behaviour = 'gated';
    expect(await refusal(fetchFromHub('tiny/clip', { cacheDir }))).toMatch(/gated.*set HF_TOKEN/);
    vi.stubEnv('HF_TOKEN', 'bad');
    expect(await refusal(fetchFromHub('tiny/clip', { cacheDir }))).toMatch(/to this HF_TOKEN/);
    vi.stubEnv('HF_TOKEN', 'good');
    await fetchFromHub('tiny/clip', { cacheDir });
    expect(new Set(asked.slice(2).map(({ authorization }) => authorization))).toEqual(new Set(['Bearer good']));
  });

  it('says in one line what cannot be had, and what to do', async () => {
    expect(await refusal(fetchFromHub('tiny/none', { cacheDir }))).toMatch(/no model tiny\/none on the hub/);
    expect(await refusal(fetchFromHub('tiny/words', { cacheDir }))).toMatch(/lacks onnx\/text_model\.onnx.*choose/);
    expect(await refusal(fetchFromHub('tiny/clip', { cacheDir, offline: true }))).toMatch(/nothing may be fetched/);
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect(await refusal(openEmbedder('tiny/clip', { cacheDir }))).toMatch(/nothing may be fetched/);
    vi.stubEnv('HF_HUB_OFFLINE', '');
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    expect(await refusal(fetchFromHub('tiny/clip', { cacheDir }))).toMatch(
      /cannot be fetched \(.*\): check the network/,
    );
  });

  it('names the files, their layout and the ways on, where there is no network', async () => {
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    for (const offline of [false, true]) {
      const says = await refusal(fetchFromHub('tiny/clip', { cacheDir, offline }));
      for (const part of ['tiny/clip', 'onnx/vision_model.onnx', '`clip`', '`clip: "shipped"`', '`stages: "clip"`'])
        expect(says).toContain(part);
    }
  });

  it('does not take a folder that is missing for a name of the hub', async () => {
    expect(() => clipName('src/nowhere')).toThrow(/no CLIP in src\/nowhere.*onnx\/text_model\.onnx/);
    expect(clipName('tiny/clip')).toBe('tiny/clip');
    expect(isToBeFetched('src/nowhere', { cacheDir })).toBe(false);
    expect(isToBeFetched('tiny/clip', { cacheDir, offline: true })).toBe(false);
    expect(isToBeFetched('tiny/clip', { cacheDir })).toBe(true);
    await fetchFromHub('tiny/clip', { cacheDir });
    expect(isToBeFetched('tiny/clip', { cacheDir })).toBe(false);
  });

  it('goes through the proxy of the environment, and past it where NO_PROXY says so', async () => {
    let tunnels = 0;
    const proxy = http.createServer();
    proxy.on('connect', (request, client: net.Socket) => {
      tunnels++;
      const [, port] = request.url!.split(':');
      const upstream = net.connect(Number(port), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      upstream.on('error', () => client.destroy());
      client.on('error', () => upstream.destroy());
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      // A name that only the proxy knows how to reach.
      vi.stubEnv('HF_ENDPOINT', `http://hub.invalid:${port}`);
      vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
      await fetchFromHub('tiny/clip', { cacheDir });
      expect(tunnels).toBeGreaterThan(0);
      vi.stubEnv('NO_PROXY', 'hub.invalid');
      expect(await refusal(fetchFromHub('tiny/siglip', { cacheDir }))).toMatch(/cannot be fetched/);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});
