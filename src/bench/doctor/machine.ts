/** What a machine has of what this program can use: collected once, in a form that can be printed and checked. */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { messageOf } from '../../base/errors.ts';
import { cacheFolder } from '../../checkpoint/cache-folder.ts';
import { request } from '../../checkpoint/network.ts';
import { endpoint, isOffline } from '../../clip/hub.ts';

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

/** Whether programs compute on WebGPU here; `reason` says why not. */
export interface Gpu {
  readonly usable: boolean;
  readonly reason: string | undefined;
  /** What the driver of NVIDIA lists, where it is installed. */
  readonly nvidia: readonly string[];
}

export interface Cache {
  readonly folder: string;
  readonly writable: boolean;
  readonly bytes: number;
  /** Names of the CLIPs that are there whole. */
  readonly clips: readonly string[];
  /** Files of the weights of LPIPS. */
  readonly lpips: readonly string[];
}

export interface Hub {
  readonly address: string;
  /** `skipped` where nothing may be fetched. */
  readonly state: 'reachable' | 'unreachable' | 'skipped';
  readonly reason: string | undefined;
  readonly proxy: boolean;
}

export interface Mpi {
  readonly launcher: string | undefined;
  readonly library: string | undefined;
}

export interface MachineOptions {
  readonly offline?: boolean | undefined;
  /** Milliseconds that the hub has for its answer. */
  readonly patience?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What is tried on the GPU; by default a program of one operator, in a process of its own. */
  readonly tryGpu?: (() => Promise<Pick<Gpu, 'usable' | 'reason'>>) | undefined;
}

const PATIENCE = 5000;
/** A driver that hangs is no driver. */
const GPU_PATIENCE = 60_000;

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

/** The folder, or the nearest above it that exists. */
const existing = (folder: string): string => (fs.existsSync(folder) ? folder : existing(path.dirname(folder)));

/** What the cache holds, and whether it can be written. */
export function inspectCache(folder: string): Cache {
  const files = filesUnder(folder);
  const inHub = (file: string) => /^hub[\\/](.+)[\\/][0-9a-f]{40}[\\/]\.complete$/.exec(file)?.[1];
  return {
    folder,
    writable: canWrite(existing(folder)),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    clips: [...new Set(files.flatMap(({ name }) => inHub(name)?.replaceAll('\\', '/') ?? []))].sort(),
    lpips: files.flatMap(({ name }) => (/^lpips[\\/].+\.pth$/.test(name) ? path.basename(name) : [])).sort(),
  };
}

function filesUnder(folder: string): { name: string; bytes: number }[] {
  try {
    return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
      const stat = fs.statSync(path.join(folder, name), { throwIfNoEntry: false });
      return stat?.isFile() ? [{ name, bytes: stat.size }] : [];
    });
  } catch {
    return [];
  }
}

function canWrite(folder: string): boolean {
  try {
    fs.rmdirSync(fs.mkdtempSync(path.join(folder, '.clipvq-')));
    return true;
  } catch {
    return false;
  }
}

async function tryHub({ offline, patience = PATIENCE, signal }: MachineOptions): Promise<Hub> {
  const address = endpoint();
  const proxy = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].some(
    (name) => (process.env[name] ?? '') !== '',
  );
  if (offline || isOffline({})) return { address, state: 'skipped', reason: undefined, proxy };
  const limit = AbortSignal.timeout(patience);
  try {
    const both = signal ? AbortSignal.any([signal, limit]) : limit;
    const response = await request(address, { method: 'HEAD', signal: both });
    const isThere = response.status < 500;
    return {
      address,
      state: isThere ? 'reachable' : 'unreachable',
      reason: isThere ? undefined : `it answers ${response.status}`,
      proxy,
    };
  } catch (error) {
    signal?.throwIfAborted();
    const reason = limit.aborted ? `no answer within ${patience / 1000} s` : messageOf(causeOf(error));
    return { address, state: 'unreachable', reason, proxy };
  }
}

const causeOf = (error: unknown): unknown =>
  error instanceof Error && error.cause !== undefined ? causeOf(error.cause) : error;

/** One operator on WebGPU, in a process of its own: a driver that crashes takes nothing with it. */
async function tryWebGpu(): Promise<Pick<Gpu, 'usable' | 'reason'>> {
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
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: GPU_PATIENCE });
    const { usable, reason } = JSON.parse(stdout) as { usable: boolean; reason?: string };
    return { usable, reason };
  } catch {
    return { usable: false, reason: 'its driver crashes or does not answer' };
  }
}

async function nvidiaNames(): Promise<string[]> {
  try {
    const query = ['--query-gpu=name,memory.total', '--format=csv,noheader'];
    const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: PATIENCE });
    return stdout.split('\n').filter((line) => line.trim() !== '');
  } catch {
    return [];
  }
}

const LAUNCHERS = ['mpirun', 'mpiexec', 'mpirun.exe', 'mpiexec.exe'];
const LIBRARY = /^(libmpi(ch)?\.(so|dylib)|msmpi\.dll)/;

/** The launcher of MPI on the path, and its library where systems keep libraries. */
export function findMpi(env: Readonly<Record<string, string | undefined>> = process.env): Mpi {
  const folders = (list: string | undefined) => (list ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const paths = folders(env.PATH);
  const standard = ['/usr/lib', '/usr/local/lib', '/usr/lib64', '/opt/homebrew/lib'];
  const multiarch = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map((name) => `/usr/lib/${name}`);
  const libraries = [...folders(env.LD_LIBRARY_PATH), ...standard, ...multiarch, ...paths];
  const launcher = paths
    .flatMap((folder) => LAUNCHERS.map((name) => path.join(folder, name)))
    .find((file) => fs.existsSync(file));
  const library = libraries
    .flatMap((folder) => namesIn(folder).map((name) => path.join(folder, name)))
    .find((file) => LIBRARY.test(path.basename(file)));
  return { launcher, library };
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}
