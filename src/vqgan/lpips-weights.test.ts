/**
 * Where the weights of LPIPS are found: folders in either format, the cache, the network, and the message where they
 * are missing.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listenOnLoopback } from '../../test/support/loopback.ts';
import { UserError } from '../base/errors.ts';
import { float32, type NDArray, sizeOf } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { writeSafetensors } from '../checkpoint/safetensors.ts';
import type { Parameter } from '../nn/parameters.ts';
import { lpipsParameters } from './lpips.ts';
import { loadLpips, type PublishedWeights } from './lpips-weights.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-lpips-'));
const [folder, cache] = [path.join(root, 'files'), path.join(root, 'cache')];
const files = { backbone: 'squeezenet1_1-test.safetensors', lin: 'lin-squeeze-v0.1.safetensors' } as const;

/** Values of each parameter, under the names here. */
const arrays = Object.fromEntries(
  Object.entries(flatten<Parameter>(lpipsParameters('squeeze'))).map(([name, { shape }], k): [string, NDArray] => [
    name,
    float32(
      Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(Math.sin(i + k))),
      shape,
    ),
  ]),
);

/** Name, shape and hash of every array: comparing the values one by one would take long. */
const digest = (named: Readonly<Record<string, NDArray>>) =>
  Object.entries(named).map(([name, { shape, data }]) => [
    name,
    shape,
    createHash('sha256')
      .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
      .digest('hex'),
  ]);

let requests = 0;
const server = http.createServer(({ url = '' }, response) => {
  requests++;
  response.end(fs.readFileSync(path.join(folder, path.basename(url))));
});
let published: PublishedWeights;

beforeAll(async () => {
  fs.mkdirSync(folder);
  const named = Object.entries(arrays);
  const backbone = named.filter(([name]) => name.startsWith('features.'));
  writeSafetensors(
    path.join(folder, files.backbone),
    Object.fromEntries([...backbone, ['classifier.1.bias', float32([1], [1])]]),
    {},
  );
  const lin = named.flatMap(([name, array]): [string, NDArray][] => {
    const [, layer] = /^lin\.(\d+)\.weight$/.exec(name) ?? [];
    return layer === undefined ? [] : [[`lin${layer}.model.1.weight`, array]];
  });
  writeSafetensors(path.join(folder, files.lin), Object.fromEntries(lin), {});

  const address = await listenOnLoopback(server);
  const remote = (name: string) => {
    const bytes = fs.readFileSync(path.join(folder, name));
    const url = `${address}/${name}`;
    return { url, sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
  };
  published = { backbone: remote(files.backbone), lin: remote(files.lin) };
});
afterAll(() => {
  server.close();
  fs.rmSync(root, { recursive: true });
});

const source = (offline: boolean) => ({
  cache,
  offline,
  published: { vgg: published, alex: published, squeeze: published },
});

describe('the weights of LPIPS', () => {
  it('are read from a folder, the classifier left out', async () => {
    const { net, params, id } = await loadLpips('squeeze', { folder });
    expect(net).toBe('squeeze');
    expect(digest(flatten<NDArray>(params))).toEqual(digest(arrays));
    expect(id).toMatch(/^[0-9a-f]{64}$/);
  });

  it('are fetched once into the cache, from which they come offline', async () => {
    await expect(loadLpips('squeeze', source(true))).rejects.toThrow(/`offline`/);
    expect(requests).toBe(0);
    const fetched = await loadLpips('squeeze', source(false));
    expect(digest(flatten<NDArray>(fetched.params))).toEqual(digest(arrays));
    expect(requests).toBe(2);
    expect((await loadLpips('squeeze', source(true))).id).toBe(fetched.id);
    expect(requests).toBe(2);
  });

  it('name what is missing, and where it can be had', async () => {
    await expect(loadLpips('vgg', { folder })).rejects.toThrow(/lacks the LPIPS weights vgg16-397923af\.pth.*https:/);
    await expect(loadLpips('vgg', { folder: path.join(root, 'nowhere') })).rejects.toThrow(UserError);
  });

  it('of another network are refused', async () => {
    const other = path.join(root, 'other');
    fs.mkdirSync(other);
    fs.copyFileSync(path.join(folder, files.backbone), path.join(other, 'alexnet-test.safetensors'));
    fs.copyFileSync(path.join(folder, files.lin), path.join(other, 'lin-alex-v0.1.safetensors'));
    await expect(loadLpips('alex', { folder: other })).rejects.toThrow(UserError);
  });
});
