/**
 * Packs what the measurements need into `.gpu-bundle/`, for a Linux x64 machine with an NVIDIA GPU, Python and PyTorch,
 * but without Node, a Vulkan loader, or a network. Run on Debian or Ubuntu x64 after a build; `run.sh`, which is packed
 * along, does the rest there.
 *
 *   node bench/gpu/pack.mjs
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bundle = path.join(root, '.gpu-bundle');

/** Where programs start. */
const ENTRIES = [
  'bench/gpu/main.mjs',
  'dist/bench/peer/ours.js',
  'dist/engine/engine-host.js',
  'dist/engine/engine-worker.js',
  'test/webgpu/train.mjs',
];
/** The Vulkan loader, and what NVIDIA's driver wants of a system that it cannot have on a machine without a display. */
const DEBS =
  'libvulkan1 libegl1 libglvnd0 libopengl0 libgl1 libglx0 libx11-6 libxext6 libxcb1 libxau6 libxdmcp6 libbsd0 libmd0'.split(
    ' ',
  );

const IMPORTS = /(?:from\s+|import\s*\(?\s*|new URL\(\s*)['"]([^'"]+)['"]/g;

/** Files of ours and packages of others that the entries reach. */
function closure() {
  const [files, packages] = [new Set(), new Set()];
  const visit = (file) => {
    if (files.has(file)) return;
    files.add(file);
    for (const [, name] of fs.readFileSync(file, 'utf8').matchAll(IMPORTS)) {
      const target = path.resolve(path.dirname(file), name);
      if (!name.startsWith('.')) packages.add(name);
      else if (/\.m?js$/.test(name) && fs.existsSync(target)) visit(target);
    }
  };
  for (const entry of ENTRIES) visit(path.join(root, entry));
  const known = [...packages].filter((name) => !name.startsWith('node:') && !name.startsWith('clip-vqdiffusion'));
  return { files: [...files], packages: [...known, 'onnxruntime-common'] };
}

const copy = (from, to) => fs.cpSync(from, to, { recursive: true, dereference: true });
const compress = (from, to) => execFileSync('sh', ['-c', `xz -6 -T1 -c "$1" >"$2"`, 'sh', from, to]);
const keep = /\.(js|cjs|mjs|json|node|so(\.\d+)*)$/;

function copyPackage(name, to) {
  const from = path.join(root, 'node_modules', name);
  const wanted = (file) => {
    const inside = path.relative(from, file);
    if (inside.startsWith('bin') && inside.includes(`napi-v6${path.sep}`)) {
      const platform = inside.split(path.sep).slice(2, 4).join('/');
      if (!'linux/x64'.startsWith(platform) || /providers_(cuda|tensorrt)/.test(inside)) return false;
    }
    return fs.statSync(file).isDirectory()
      ? !/^(src|lib|script)$|[/\\](test|esm)$/.test(inside) || name === 'commander'
      : keep.test(file);
  };
  fs.cpSync(from, path.join(to, 'node_modules', name), { recursive: true, filter: wanted });
}

function libraries(to) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-debs-'));
  try {
    execFileSync('apt-get', ['download', '-qq', ...DEBS], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    for (const deb of fs.readdirSync(folder).filter((name) => name.endsWith('.deb')))
      execFileSync('dpkg', ['-x', deb, 'unpacked'], { cwd: folder });
    const from = path.join(folder, 'unpacked', 'usr', 'lib', 'x86_64-linux-gnu');
    for (const name of fs.readdirSync(from).filter((name) => /\.so\.\d+$/.test(name)))
      copy(path.join(from, name), path.join(to, name));
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

if (process.platform !== 'linux' || process.arch !== 'x64')
  throw new Error('The bundle is for Linux x64: pack it there');
fs.rmSync(bundle, { recursive: true, force: true });
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-bundle-'));
try {
  const { files, packages } = closure();
  const app = path.join(work, 'app');
  for (const file of files) copy(file, path.join(app, path.relative(root, file)));
  for (const name of packages) copyPackage(name, app);
  for (const name of ['package.json', 'bench/gpu/measure.py', 'bench/gpu/vulkan.py'])
    copy(path.join(root, name), path.join(app, name));
  fs.mkdirSync(path.join(app, 'bench', 'peer'), { recursive: true });
  for (const name of fs.readdirSync(path.join(root, 'bench', 'peer')).filter((name) => name.endsWith('.py')))
    copy(path.join(root, 'bench', 'peer', name), path.join(app, 'bench', 'peer', name));
  libraries(path.join(app, 'lib'));
  fs.mkdirSync(path.join(app, 'bin'), { recursive: true });
  execFileSync('sh', [
    '-c',
    `strip -o "$2" "$1" 2>/dev/null || cp "$1" "$2"`,
    'sh',
    process.execPath,
    path.join(app, 'bin', 'node'),
  ]);
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' });
  const changed = execFileSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' }) !== '';
  fs.writeFileSync(
    path.join(app, 'commit.txt'),
    `${commit.trim()}${changed ? ' and changes that are not committed' : ''}\n`,
  );

  execFileSync('tar', ['-cf', 'app.tar', 'app'], { cwd: work });
  fs.mkdirSync(bundle);
  compress(path.join(work, 'app.tar'), path.join(bundle, 'app.tar.xz'));
  copy(path.join(root, 'bench', 'gpu', 'run.sh'), path.join(bundle, 'run.sh'));
  const bytes = fs.statSync(path.join(bundle, 'app.tar.xz')).size;
  console.log(
    `${files.length} files of ours, packages ${packages.join(', ')}; .gpu-bundle: ${(bytes / 2 ** 20).toFixed(1)} MiB`,
  );
} finally {
  fs.rmSync(work, { recursive: true });
}
