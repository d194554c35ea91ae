import { defineConfig } from 'vitest/config';
import { BUILT, overTheBuild } from './test/support/over-the-build.ts';
import { SlowFirst } from './test/support/slow-first.ts';

/** What these check is true of a process that has done nothing else yet. */
const ownProcess = [
  // The first session of ONNX Runtime sets up how a process flushes.
  'src/engine/subnormals.test.ts',
  // Measures the heap.
  'src/data/cache/record-store.test.ts',
  // A limit of memory counts what the process holds already.
  'src/bench/estimate.test.ts',
  'test/cli/memory.test.ts',
];
const tests = ['src/**/*.test.ts', 'test/**/*.test.ts'];
const not = ['test/parity/**', '**/node_modules/**'];

export default defineConfig({
  plugins: [overTheBuild],
  test: {
    globalSetup: 'test/support/fresh-build.ts',
    setupFiles: ['test/support/property-seed.ts', 'test/support/equal-bytes.ts'],
    server: { deps: { external: [BUILT] } },
    reporters: ['default', './test/support/skip-reporter.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // Two cores: the engine's worker wants one of them. Three took 441 s instead of 333.
    maxWorkers: 2,
    sequence: { sequencer: SlowFirst },
    projects: [
      // Files follow each other in the same processes: modules are loaded, and compiled, once. A file leaves behind what it
      // has found: environment, working folder, mocks.
      { extends: true, test: { name: 'shared', include: tests, exclude: [...not, ...ownProcess], isolate: false } },
      { extends: true, test: { name: 'alone', include: ownProcess, exclude: not } },
    ],
  },
});
