import { defineConfig } from 'vitest/config';
import { BUILT, overTheBuild } from './test/support/over-the-build.ts';

// `npm run parity`: every fixture of CLIPVQ_FIXTURES against our code, as a table. Fails on a difference and on anything missing.
export default defineConfig({
  plugins: [overTheBuild],
  test: {
    include: ['src/**/*.parity.test.ts', 'test/**/*.parity.test.ts'],
    server: { deps: { external: [BUILT] } },
    reporters: ['./test/support/parity-reporter.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
});
