/**
 * Makes a clone ready to run: installs packages, builds, and on request fetches the browser whose software Vulkan driver the WebGPU
 * tests use. Each step looks first whether it is needed, so that running this before every command costs little.
 *
 *   node scripts/setup.mjs [--browser] [--quiet]
 */

import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const options = new Set(process.argv.slice(2));
const quiet = options.has('--quiet');

const inRoot = (...parts) => path.join(root, ...parts);
const say = (message) => console.error(message);
const modified = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

/** Runs a command; its output is shown only if it fails. */
function run(command, args, env = {}) {
  // On Windows npm is a script, which only a shell can start.
  const shell = process.platform === 'win32';
  const result = spawnSync(command, args, { cwd: root, shell, encoding: 'utf8', env: { ...process.env, ...env } });
  return {
    ok: result.status === 0,
    output: `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`.trim(),
  };
}

function fail(message, output) {
  if (output) say(output);
  say(message);
  process.exit(1);
}

function install() {
  // npm writes this file at the end of every install.
  if (modified(inRoot('node_modules', '.package-lock.json')) >= modified(inRoot('package-lock.json'))) return;
  say('Installing packages (npm ci) …');
  // The package's own download of CUDA libraries is not wanted here; .npmrc says so too, but not to every npm to come.
  const { ok, output } = run('npm', ['ci', '--loglevel=error'], { ONNXRUNTIME_NODE_INSTALL: 'skip' });
  if (!ok)
    fail('npm ci failed: is the npm registry reachable, and do package.json and package-lock.json agree?', output);
}

/** Always: the compiler knows best what is stale, and takes a moment when nothing is. */
function build() {
  if (!quiet) say('Building …');
  const compiler = inRoot('node_modules', 'typescript', 'bin', 'tsc');
  const { ok, output } = run(process.execPath, [compiler, '-p', 'tsconfig.build.json']);
  if (!ok) fail('The build failed.', output);
}

function browser() {
  const installed = () => existsSync('/usr/lib/chromium/vk_swiftshader_icd.json');
  if (installed()) return;
  const debian = existsSync('/etc/debian_version') && process.getuid?.() === 0;
  if (debian) {
    say('Installing chromium for the browser and WebGPU tests (apt-get) …');
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    run('apt-get', ['update', '-qq'], env);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], env);
  }
  if (!installed()) say('WARNING: there is no chromium here, so the browser and WebGPU tests will be SKIPPED.');
}

install();
build();
if (options.has('--browser')) browser();
