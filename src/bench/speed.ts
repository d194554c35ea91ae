/** How fast this machine is, so that plans can fit it. */

import { float32 } from '../base/ndarray.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import * as g from '../graph/index.ts';

/**
 * Milliseconds of the probe below on the machine that the presets were timed on (2 cores with AVX2, otherwise idle).
 */
const REFERENCE_MS = 14;
const ROUNDS = 24;

/**
 * Speed relative to the reference machine: the median time of a mix of matrix products, convolutions and elementwise
 * work.
 */
export async function machineSpeed(options: EngineOptions): Promise<number> {
  const engine = Engine.start(options);
  try {
    const [rows, width] = [1024, 384];
    const inputs = {
      x: g.f32(rows, width),
      w: g.f32(width, 4 * width),
      v: g.f32(4 * width, width),
      image: g.f32(8, 32, 32, 32),
      kernel: g.f32(32, 32, 3, 3),
    };
    const probe = await engine.compile(
      g.trace(inputs, ({ x, w, v, image, kernel }) => ({
        y: g.sum(g.softmax(g.matmul(g.swish(g.matmul(x, w)), v))),
        z: g.sum(g.swish(g.conv2d(image, kernel, { pads: 1 }))),
      })),
    );
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape }]) => [
        name,
        float32(new Float32Array(shape.reduce((a, b) => a * b)).fill(0.01), shape),
      ]),
    );
    const times: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const start = performance.now();
      await probe.run(feeds);
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    return REFERENCE_MS / times[ROUNDS / 2]!;
  } finally {
    await engine.close();
  }
}
