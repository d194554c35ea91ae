/** The opening of a model for a command. */

import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { listenOnLoopback } from '../../test/support/loopback.ts';
import { writeTinyRun } from '../../test/support/tiny-model.ts';
import { Interrupted } from '../base/errors.ts';
import { openGenerator } from './open-generator.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

it('Ctrl-C ends the fetching of a CLIP whose hub does not answer', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-opening-'));
  const stop = new AbortController();
  const stopped = new Interrupted('Stopped');
  const hub = http.createServer(() => stop.abort(stopped));
  try {
    vi.stubEnv('HF_ENDPOINT', await listenOnLoopback(hub));
    for (const name of ['HF_HUB_OFFLINE', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']) vi.stubEnv(name, '');
    vi.stubEnv('XDG_CACHE_HOME', folder);
    const opening = openGenerator(writeTinyRun(path.join(folder, 'run')), {
      engineOptions: { threads: 1 },
      clip: 'tiny/silent',
      signal: stop.signal,
      display: { fetching: () => () => {} },
    });
    await expect(opening).rejects.toBe(stopped);
  } finally {
    hub.closeAllConnections();
    hub.close();
    fs.rmSync(folder, { recursive: true });
  }
});
