/** Finds a Python that has PyTorch; on Debian and as root, installs the distribution's. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { UserError } from '../../base/errors.ts';

const PACKAGES = ['python3-torch', 'python3-numpy', 'libopenblas0-pthread'];
const CANDIDATES = ['python3', '/usr/bin/python3', 'python'];

/**
 * @param say called before what takes long.
 * @throws UserError that says what to install.
 */
export function findPyTorch(say: (message: string) => void): string {
  const found = withPyTorch();
  if (found) return found;
  if (existsSync('/etc/debian_version') && process.getuid?.() === 0) {
    say(`Installing ${PACKAGES.join(' ')} (apt-get) …`);
    apt('update', '-qq');
    apt('install', '-y', '-qq', '--no-install-recommends', ...PACKAGES);
  }
  const installed = withPyTorch();
  if (installed) return installed;
  throw new UserError(
    `The comparison needs PyTorch. On Debian or Ubuntu: apt-get install ${PACKAGES.join(' ')}; elsewhere: pip install torch numpy`,
  );
}

const withPyTorch = (): string | undefined =>
  CANDIDATES.find((python) => spawnSync(python, ['-c', 'import torch, numpy'], { stdio: 'ignore' }).status === 0);

const apt = (...args: string[]) =>
  spawnSync('apt-get', args, { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
