/**
 * Cuts test/fixtures out of the whole set of reference numbers (CLIPVQ_FIXTURES), so that a bare clone still checks the
 * equations. Run after a build: `npm run build && node scripts/make-test-fixtures.mjs`.
 *
 * Kept: what needs no checkpoint, vocabulary or pretrained weights. Of large gradients only the first numbers, the norm and the
 * sum stay. Files are packed as test/support/fixture-pack.ts says.
 */

import fs from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { encodeSafetensors, parseSafetensors } from '../dist/checkpoint/safetensors.js';

const SOURCE = path.resolve(process.env.CLIPVQ_FIXTURES ?? '../shared/fixtures');
const TARGET = path.resolve(import.meta.dirname, '../test/fixtures');
const LIMIT = 3_000_000;

const FILES = [
  'schedule.safetensors',
  'diffusion.safetensors',
  'sample_time.json',
  'sampling.safetensors',
  'sampling.json',
  'transformer.safetensors',
  'vqgan.safetensors',
  'discriminator.safetensors',
  'optim.safetensors',
  'optim.json',
  'metrics.safetensors',
  'preprocess.safetensors',
];
/** Gradients with more numbers than this are cut to as many. */
const HEAD = 256;

fs.rmSync(TARGET, { recursive: true, force: true });
fs.mkdirSync(TARGET, { recursive: true });
let total = 0;
for (const name of FILES) {
  const bytes = fs.readFileSync(path.join(SOURCE, name));
  const packed = compress(name.endsWith('.safetensors') ? planes(cut(bytes, name)) : bytes);
  fs.writeFileSync(path.join(TARGET, `${name}.br`), packed);
  total += packed.length;
  console.log(`${String(packed.length).padStart(8)}  ${name}`);
}
console.log(`${String(total).padStart(8)}  in all`);
if (total > LIMIT) throw new Error(`${total} bytes are more than ${LIMIT}: leave something out`);

/** The same file with its large gradients cut: `<name>.head8` and `<name>.norm_sum` take the place of `<name>`. */
function cut(bytes, label) {
  const { tensors, metadata } = parseSafetensors(bytes, label);
  const kept = {};
  for (const [name, array] of Object.entries(tensors)) {
    const { data } = array;
    if (!/^(grads|g_loss_grad)/.test(name) || data.length <= HEAD || name.endsWith('.norm_sum')) kept[name] = array;
    else if (name.endsWith('.head8')) kept[name] = head(data);
    else if (/^grads/.test(name)) {
      kept[`${name}.head8`] = head(data);
      const sum = data.reduce((a, b) => a + b, 0);
      kept[`${name}.norm_sum`] = { dtype: 'float64', shape: [2], data: Float64Array.of(Math.hypot(...data), sum) };
    } else kept[name] = array;
  }
  return Buffer.concat(encodeSafetensors(kept, metadata));
}

function head(data) {
  return { dtype: 'float32', shape: [HEAD], data: Float32Array.from(data.subarray(0, HEAD)) };
}

/** First bytes of all numbers, then second ones, and so on: exponents lie together and shrink. */
function planes(bytes) {
  const count = Math.ceil(bytes.length / 4);
  const out = new Uint8Array(4 * count);
  for (let i = 0; i < bytes.length; i++) out[(i % 4) * count + (i >> 2)] = bytes[i];
  return out;
}

function compress(bytes) {
  return brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
}
