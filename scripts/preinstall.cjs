/**
 * Runs when this package is installed into another project, before the install script of onnxruntime-node.
 *
 * That script downloads CUDA libraries from NuGet on Linux, and fails the whole installation where NuGet cannot be
 * reached. The CPU and WebGPU code is inside the npm package and needs none of it. The script stops early when the
 * libraries are there; so empty files take their places. Who needs CUDA sets what onnxruntime-node documents for it,
 * and the files are overwritten:
 *
 *   npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12
 *
 * Nothing is done in a clone of this package, where CUDA is requested, or where the project itself depends on
 * onnxruntime-node and so has its own opinion. Nothing that goes wrong here ends the installation.
 */
'use strict';

// biome-ignore lint/style/useNodejsImportProtocol: an old Node.js has to get to the end of this file, too
const fs = require('fs');
// biome-ignore lint/style/useNodejsImportProtocol: as above
const path = require('path');

const LIBRARIES = ['cuda', 'shared', 'tensorrt'];

function isAskedFor(env) {
  return Object.keys(env).some((name) => /^(npm_config_)?onnxruntime_node_install(_cuda)?$/i.test(name) && env[name]);
}

function ownDependencies(project) {
  try {
    const manifest = JSON.parse(fs.readFileSync(path.join(project, 'package.json'), 'utf8'));
    return Object.assign({}, manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies);
  } catch (_) {
    return {};
  }
}

function placeEmptyFiles(root, env) {
  const project = env.npm_config_local_prefix;
  if (isAskedFor(env) || path.resolve(project || '') === path.resolve(root)) return;
  if (project && env.npm_config_global !== 'true' && 'onnxruntime-node' in ownDependencies(project)) return;
  // Its package.json may not be exported; its folder is beside the script in any case.
  const script = require.resolve('onnxruntime-node/script/install.js', { paths: [root] });
  const folder = path.join(path.dirname(script), '..', 'bin', 'napi-v6', process.platform, process.arch);
  if (!fs.existsSync(folder)) return;
  LIBRARIES.forEach((name) => {
    const file = path.join(folder, `libonnxruntime_providers_${name}.so`);
    if (!fs.existsSync(file)) fs.writeFileSync(file, '');
  });
}

try {
  if (process.platform === 'linux' && process.arch === 'x64') placeEmptyFiles(path.join(__dirname, '..'), process.env);
} catch (_) {
  // Then the script decides for itself.
}
