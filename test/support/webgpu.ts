/**
 * The software Vulkan driver that comes with Debian's chromium, for scripts that compute on WebGPU in a process of
 * their own.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { skipped } from './skip.ts';

const ICD = process.env.VK_ICD_FILENAMES ?? '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Whether there is a driver; where there is none, the tests that are skipped are named. */
export function hasVulkan(what: string): boolean {
  return !skipped(!existsSync(ICD), what, 'no Vulkan driver was found (Debian: apt-get install chromium)');
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** A process on the driver that computes by name what its script (`test/webgpu/sections.mjs`) offers. */
export class VulkanProcess {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, { give(result: unknown): void; fail(error: Error): void }>();
  private calls = 0;
  /** Its exit code, or the signal that has ended it. */
  private readonly ended: Promise<number | string | null>;

  constructor(script: string) {
    // The folder of the driver also holds the Vulkan loader.
    const libraries = [path.dirname(ICD), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
    const env = { ...process.env, VK_ICD_FILENAMES: ICD, LD_LIBRARY_PATH: libraries };
    this.child = fork(script, { env, execArgv: [] });
    this.child.on('message', ({ id, result, error }: Reply) => {
      const caller = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) caller?.give(result);
      else caller?.fail(new Error(error));
    });
    this.ended = new Promise((resolve) => {
      this.child.on('exit', (code, signal) => {
        for (const { fail } of this.waiting.values()) fail(new Error(`the process ended with ${code ?? signal}`));
        this.waiting.clear();
        resolve(code ?? signal);
      });
    });
  }

  /** What a section computes. @throws Error what it has thrown, or that the process has ended. */
  call<T>(name: string, ...args: readonly string[]): Promise<T> {
    const id = this.calls++;
    return new Promise<unknown>((give, fail) => {
      this.waiting.set(id, { give, fail });
      this.child.send({ id, name, args }, (error) => error && fail(error));
    }) as Promise<T>;
  }

  /** Lets the process end. @returns its exit code, or the signal that has ended it. */
  async end(): Promise<number | string | null> {
    if (this.child.connected) this.child.disconnect();
    return this.ended;
  }
}
