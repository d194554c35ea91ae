/**
 * Subnormal numbers become zero wherever an engine computes, however many engines and CLIPs the process has opened
 * before.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { skipped } from '../../test/support/skip.ts';
import { writeTinyClip } from '../../test/support/tiny-clip.ts';
import { float32, type NDArray } from '../base/ndarray.ts';
import { openEmbedder } from '../embedding/embedder.ts';
import * as g from '../graph/index.ts';
import { Engine } from './engine.ts';

/** More numbers than one thread keeps to itself, in operators and in fused loops. */
const SIZE = 2 ** 18;
const TINY = 1e-20;

/** How many of SIZE numbers TINY² · 1 stay above zero: computed by operators, and by a fused update on two threads. */
async function survivors(): Promise<readonly number[]> {
  const engine = Engine.start({ threads: 2 });
  const spec = g.f32(SIZE);
  const product = await engine.compile(g.trace({ x: spec }, ({ x }) => ({ y: g.mul(g.mul(x, x), 1) })));
  const update = await engine.compile(
    g.trace({ state: { a: spec, b: spec } }, ({ state: { a, b } }) => ({
      state: { a: g.mul(g.mul(a, a), 1), b: g.mul(g.mul(b, b), 1) },
    })),
    { inPlace: true },
  );
  const tiny = () => float32(new Float32Array(SIZE).fill(TINY), [SIZE]);
  await engine.load({ a: tiny(), b: tiny() });
  await update.run({});
  const { y } = await product.run({ x: tiny() });
  const { a, b } = (await engine.read('')) as { readonly a: NDArray; readonly b: NDArray };
  await engine.close();
  return [y!, a, b].map(({ data }) => data.filter((value) => Number(value) !== 0).length);
}

// ONNX Runtime flushes on x64 alone, and only on Linux do threads inherit it (thread-host.ts).
const elsewhere = skipped(
  process.platform !== 'linux' || process.arch !== 'x64',
  'subnormal numbers',
  'only Linux on x64 flushes them in every engine',
);

it.skipIf(elsewhere)(
  'flushes subnormals in three engines, on all threads, also after a CLIP was opened first',
  async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'clipvq-subnormals-'));
    try {
      writeTinyClip(folder, 'clip');
      const clip = await openEmbedder(folder, { threads: 1 });
      const first = await survivors();
      await clip.close();
      expect([first, await survivors(), await survivors()]).toEqual(Array(3).fill([0, 0, 0]));
      // The caller's own arithmetic keeps them.
      expect(new Float32Array([TINY]).map((x) => x * x)[0]).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
