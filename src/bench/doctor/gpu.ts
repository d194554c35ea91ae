/** Whether programs compute on WebGPU here, and which cards the driver of NVIDIA lists. */

import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

/** Whether programs compute on WebGPU here; `reason` says why not. */
export interface Gpu {
  readonly usable: boolean;
  readonly reason: string | undefined;
  /** What the driver of NVIDIA lists, where it is installed. */
  readonly nvidia: readonly string[];
}

/** Milliseconds: a driver that hangs is no driver. */
const PATIENCE = 60_000;
const NVIDIA_PATIENCE = 5000;

/** One operator on WebGPU, in a process of its own: a driver that crashes takes nothing with it. */
export async function tryWebGpu(): Promise<Pick<Gpu, 'usable' | 'reason'>> {
  const engine = createRequire(import.meta.url).resolve('clip-vqdiffusion/workers/engine');
  const module = (file: string) => JSON.stringify(new URL(`../${file}`, pathToFileURL(engine)).href);
  const script = `
    import { float32 } from ${module('base/ndarray.js')};
    import { Engine } from ${module('engine/engine.js')};
    import * as g from ${module('graph/index.js')};
    const x = float32(Float32Array.of(1, 2), [2]);
    const engine = Engine.start({ device: 'webgpu' });
    let reason;
    try {
      const program = await engine.compile(g.trace({ x }, ({ x }) => ({ y: g.add(x, x) })));
      const { y } = await program.run({ x });
      if (y.data[1] !== 4) reason = 'it computes wrong results';
    } catch (error) {
      reason = error.message;
    }
    process.stdout.write(JSON.stringify({ usable: reason === undefined, reason }));
    await engine.close();
  `;
  const args = ['--input-type=module', '-e', script];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: PATIENCE });
    const { usable, reason } = JSON.parse(stdout) as { usable: boolean; reason?: string };
    return { usable, reason };
  } catch {
    return { usable: false, reason: 'its driver crashes or does not answer' };
  }
}

/** Names and memory of NVIDIA's cards, as their driver writes them; none where it is not installed. */
export async function nvidiaNames(): Promise<string[]> {
  try {
    const query = ['--query-gpu=name,memory.total', '--format=csv,noheader'];
    const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: NVIDIA_PATIENCE });
    return stdout.split('\n').filter((line) => line.trim() !== '');
  } catch {
    return [];
  }
}
