/**
 * Makes a clone ready to run: installs packages, builds, and on request fetches what tests use: the browser, whose
 * software Vulkan driver the WebGPU tests need, and Open MPI. Each step looks first whether it is needed, so that
 * running this before every command costs little.
 *
 *   node scripts/setup.mjs [--tests] [--quiet]
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const inRoot = (...parts) => path.join(root, ...parts);
const say = (message) => console.error(message);
const modified = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

/** Runs a command; its output is shown only if it fails. */
function run(command, args, env = {}) {
  // On Windows npm is a script, which only a shell can start.
  const shell = process.platform === 'win32';
  // `npm pack --dry-run` packs nothing, but what it packs has to be installed and built.
  const { npm_config_dry_run: _, ...inherited } = process.env;
  const result = spawnSync(command, args, { cwd: root, shell, encoding: 'utf8', env: { ...inherited, ...env } });
  return {
    ok: result.status === 0,
    output: `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`.trim(),
  };
}

function fail(message, output, code = 1) {
  if (output) say(output);
  say(message);
  process.exit(code);
}

function install() {
  // npm writes this file at the end of every install.
  if (modified(inRoot('node_modules', '.package-lock.json')) >= modified(inRoot('package-lock.json'))) return;
  say('Installing packages (npm ci) …');
  // onnxruntime-node's own download of CUDA libraries is not wanted. package-lock.json and package.json (allowScripts)
  // say so too, each to some versions of npm.
  const { ok, output } = run('npm', ['ci', '--loglevel=error'], { ONNXRUNTIME_NODE_INSTALL: 'skip' });
  if (!ok)
    fail('npm ci failed: is the npm registry reachable, and do package.json and package-lock.json agree?', output);
}

/** Always: the compiler knows best what is stale, and takes a moment when nothing is. */
function build(quiet) {
  if (!quiet) say('Building …');
  const compiler = inRoot('node_modules', 'typescript', 'bin', 'tsc');
  const { ok, output } = run(process.execPath, [compiler, '-p', 'tsconfig.build.json']);
  if (!ok) fail('The build failed.', output);
  removeStale();
  if (modified(inRoot('dist', '.tsbuildinfo')) > modified(inRoot('dist', 'command', 'main.js'))) {
    const command = run(process.execPath, [inRoot('scripts', 'command.mjs')]);
    if (!command.ok) fail('The build of the command failed.', command.output);
  }
  const pages = run(process.execPath, [inRoot('scripts', 'pages.mjs')]);
  if (!pages.ok) fail('The build of the pages failed.', pages.output);
}

/** What the compiler wrote of sources that have moved since: it would be packed, and ranks compare their programs. */
function removeStale() {
  const sources = new Set(readdirSync(inRoot('src'), { recursive: true }));
  for (const name of readdirSync(inRoot('dist'), { recursive: true })) {
    const source = /^(?!(?:pages|command)[\\/])(.*?)(?:\.d\.ts|\.js)$/.exec(name)?.[1];
    if (source !== undefined && !sources.has(`${source}.ts`)) rmSync(inRoot('dist', name));
  }
}

/** What tests need besides: on Debian as root it is installed, elsewhere they are skipped by name. */
function testTools() {
  const missing = [
    {
      packages: ['chromium'],
      isThere: () => existsSync('/usr/lib/chromium/vk_swiftshader_icd.json'),
      without: 'there is no chromium here, so the browser and WebGPU tests will be SKIPPED.',
    },
    {
      packages: ['openmpi-bin', 'libopenmpi3'],
      isThere: () => run('mpirun', ['--version']).ok,
      without: 'there is no mpirun here, so the tests of MPI between processes will be SKIPPED.',
    },
  ].filter(({ isThere }) => !isThere());
  if (missing.length === 0) return;
  const packages = missing.flatMap((one) => one.packages);
  if (existsSync('/etc/debian_version') && process.getuid?.() === 0) {
    say(`Installing ${packages.join(', ')} for the tests (apt-get) …`);
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    run('apt-get', ['update', '-qq'], env);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], env);
  }
  for (const { isThere, without } of missing) if (!isThere()) say(`WARNING: ${without}`);
}

function checkNode() {
  const [least, own] = ['20.9', process.versions.node];
  const [major, minor] = own.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 9)) return;
  fail(`clipvq: Node.js ${least} or newer is needed, and this is ${own}: see https://nodejs.org`, undefined, 2);
}

/** Everything that is missing for the commands, and with `forTests` for the tests. */
export function setUp({ quiet = false, forTests = false }) {
  checkNode();
  install();
  build(quiet);
  if (forTests) testTools();
}

if (realpathSync(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  const options = new Set(process.argv.slice(2));
  setUp({ quiet: options.has('--quiet'), forTests: options.has('--tests') });
}
