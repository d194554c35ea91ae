/** What a machine has of what this program can use: collected once, in a form that can be printed and checked. */

import fs from 'node:fs';
import os from 'node:os';
import { cacheFolder } from '../../files/cache-folder.ts';
import { type Cache, existing, inspectCache } from './cache.ts';
import { type Gpu, nvidiaNames, tryWebGpu } from './gpu.ts';
import { type Hub, type HubOptions, tryHub } from './hub.ts';
import { findMpi, type Mpi } from './mpi.ts';

export interface Machine {
  readonly node: string;
  readonly system: string;
  readonly cpu: string;
  readonly cores: number;
  /** Whether the CPU has AVX2; undefined where the system does not say. */
  readonly avx2: boolean | undefined;
  /** Bytes: of the machine, free now, and what a container allows this process, where there is such a limit. */
  readonly memory: { readonly total: number; readonly free: number; readonly limit: number | undefined };
  /** Free bytes in a folder; undefined where the system does not say. */
  readonly disks: readonly { readonly what: string; readonly folder: string; readonly free: number | undefined }[];
  readonly gpu: Gpu;
  readonly cache: Cache;
  readonly hub: Hub;
  readonly mpi: Mpi;
}

export interface MachineOptions extends HubOptions {
  /** What is tried on the GPU; by default a program of one operator, in a process of its own. */
  readonly tryGpu?: typeof tryWebGpu | undefined;
}

/**
 * Look at this machine. Nothing is written but an empty file in the cache's folder, which is removed; nothing is
 * fetched.
 */
export async function inspectMachine(options: MachineOptions = {}): Promise<Machine> {
  const [gpu, nvidia, hub] = await Promise.all([(options.tryGpu ?? tryWebGpu)(), nvidiaNames(), tryHub(options)]);
  const cache = inspectCache(cacheFolder());
  return {
    node: process.versions.node,
    system: `${os.type()} ${os.release()}, ${process.arch}`,
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    avx2: hasAvx2(),
    memory: { total: os.totalmem(), free: os.freemem(), limit: memoryLimit() },
    disks: [
      { what: 'this folder', folder: process.cwd(), free: freeBytes(process.cwd()) },
      { what: 'the cache', folder: cache.folder, free: freeBytes(existing(cache.folder)) },
    ],
    gpu: { ...gpu, nvidia },
    cache,
    hub,
    mpi: findMpi(),
  };
}

function hasAvx2(): boolean | undefined {
  try {
    const flags = /^flags\s*:(.*)$/m.exec(fs.readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
    return flags?.split(/\s+/).includes('avx2');
  } catch {
    return undefined;
  }
}

/** The limit of a control group, below the memory of the machine. */
function memoryLimit(): number | undefined {
  for (const file of ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes']) {
    try {
      const bytes = Number(fs.readFileSync(file, 'utf8').trim());
      if (bytes > 0 && bytes < os.totalmem()) return bytes;
    } catch {
      // Not a machine with control groups.
    }
  }
  return undefined;
}

function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = fs.statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
