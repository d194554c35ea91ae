/** What is found on a machine, and what is made of it. */

import fs from 'node:fs';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listenOnLoopback } from '../../../test/support/loopback.ts';
import { inspectCache } from './cache.ts';
import { findingsOf } from './findings.ts';
import { inspectMachine, type Machine } from './machine.ts';
import { findMpi } from './mpi.ts';

const COMMIT = 'a'.repeat(40);
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'doctor-'));
  vi.stubEnv('XDG_CACHE_HOME', folder);
  for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'HF_HUB_OFFLINE']) vi.stubEnv(name, '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  fs.rmSync(folder, { recursive: true, force: true });
});

const put = (file: string, text = '') => {
  fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
  fs.writeFileSync(path.join(folder, file), text);
};
const tryGpu = async () => ({ usable: false, reason: 'no adapter' });

describe('inspectMachine', () => {
  it('sees an answering hub, one that answers with a fault, a silent one, and tries none offline', async () => {
    let status = 200;
    const server = createServer((request, response) => {
      expect(request.method).toBe('HEAD');
      if (status === 0) return;
      response.writeHead(status).end();
    });
    vi.stubEnv('HF_ENDPOINT', await listenOnLoopback(server));
    const look = (patience = 60_000, offline = false) => inspectMachine({ offline, patience, tryGpu });
    try {
      expect((await look()).hub).toMatchObject({ state: 'reachable', proxy: false });
      status = 503;
      expect((await look()).hub).toMatchObject({ state: 'unreachable', reason: 'it answers 503' });
      status = 0;
      expect((await look(200)).hub).toMatchObject({ state: 'unreachable', reason: 'no answer within 0.2 s' });
      expect((await look(200, true)).hub).toMatchObject({ state: 'skipped' });
    } finally {
      server.closeAllConnections();
      server.close();
    }
    expect((await look()).hub.reason).toMatch(/ECONNREFUSED/);
  });

  it('reads cores, memory and disk off this machine', async () => {
    const machine = await inspectMachine({ offline: true, tryGpu });
    expect(machine.node).toBe(process.versions.node);
    expect(machine.cores).toBeGreaterThan(0);
    expect(machine.memory.total).toBe(os.totalmem());
    expect(machine.disks.map(({ free }) => free! > 0)).toEqual([true, true]);
    expect(machine.cache.folder).toBe(path.join(folder, 'clip-vqdiffusion'));
    expect(machine.gpu).toMatchObject({ usable: false, reason: 'no adapter' });
  });
});

it('lists the CLIPs that are in the cache whole, and weights of LPIPS', () => {
  put(`hub/Xenova/clip/${COMMIT}/.complete`);
  put(`hub/Xenova/clip/${COMMIT}/model.onnx`, '12345');
  put(`hub/other/half/${COMMIT}/model.onnx.part`, '1');
  put('lpips/alex.pth', '12');
  expect(inspectCache(folder)).toEqual({
    folder,
    writable: true,
    bytes: 8,
    clips: ['Xenova/clip'],
    lpips: ['alex.pth'],
  });
  expect(inspectCache(path.join(folder, 'none', 'at', 'all'))).toMatchObject({ bytes: 0, clips: [], writable: true });
});

it('finds the launcher of MPI and its library where the environment points', () => {
  put('bin/mpirun');
  put('lib/libmpi.so.40');
  const found = findMpi({ PATH: path.join(folder, 'bin'), LD_LIBRARY_PATH: path.join(folder, 'lib') });
  expect(found).toEqual({
    launcher: path.join(folder, 'bin', 'mpirun'),
    library: path.join(folder, 'lib', 'libmpi.so.40'),
  });
  expect(findMpi({ PATH: path.join(folder, 'lib') }).launcher).toBeUndefined();
});

const whole: Machine = {
  node: '22.1.0',
  system: 'Linux 6, x64',
  cpu: 'A CPU',
  cores: 8,
  avx2: true,
  memory: { total: 64e9, free: 32e9, limit: undefined },
  disks: [{ what: 'this folder', folder: '/w', free: 100e9 }],
  gpu: { usable: true, reason: undefined, nvidia: ['NVIDIA H200'] },
  cache: { folder: '/c', writable: true, bytes: 1e9, clips: ['a/b'], lpips: [] },
  hub: { address: 'https://hub', state: 'reachable', reason: undefined, proxy: false },
  mpi: { launcher: '/usr/bin/mpirun', library: '/usr/lib/libmpi.so' },
};

it('has nothing against a machine that has everything', () => {
  expect(findingsOf(whole).map(({ state }) => state)).toEqual(Array(8).fill('has'));
});

it.each<[Partial<Machine>, string, string, RegExp]>([
  [{ node: '20.8.1' }, 'Node.js', 'lacks', /install 20\.9 or newer/],
  [{ avx2: false }, 'CPU', 'could', /without AVX2/],
  [
    { memory: { total: 64e9, free: 32e9, limit: 1e9 } },
    'memory',
    'lacks',
    /^1\.0 GB \(the limit of a container; .*64\.0 GB\), 1\.0 GB free/,
  ],
  [{ memory: { total: 4e9, free: 1e9, limit: undefined } }, 'memory', 'could', /`memory`/],
  [{ disks: [{ what: 'this folder', folder: '/w', free: 1e9 }] }, 'disk, this folder', 'lacks', /1\.0 GB free/],
  [{ gpu: { usable: false, reason: 'no adapter', nvidia: ['X'] } }, 'GPU', 'could', /\(X\): no adapter/],
  [{ cache: { ...whole.cache, writable: false } }, 'cache', 'lacks', /XDG_CACHE_HOME/],
  [
    { hub: { ...whole.hub, state: 'unreachable', reason: 'no route' } },
    'hub',
    'lacks',
    /no route\): only CLIPs of the cache/,
  ],
  [{ hub: { ...whole.hub, state: 'skipped' } }, 'hub', 'could', /offline/],
  [{ mpi: { launcher: undefined, library: undefined } }, 'MPI', 'could', /clusters only/],
])('says what %j means', (lack, what, state, text) => {
  const finding = findingsOf({ ...whole, ...lack }).find((one) => one.what === what)!;
  expect(finding.state).toBe(state);
  expect(finding.text).toMatch(text);
});
