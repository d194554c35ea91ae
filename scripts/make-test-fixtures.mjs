/**
 * Cuts test/fixtures out of the whole set of reference numbers (CLIPVQ_FIXTURES), so that a bare clone still checks
 * every equation. Run after a build: `npm run build && node scripts/make-test-fixtures.mjs`.
 *
 * What is left out: the frozen tokenizer and CLIP of the whole system (both have fixtures of their own), pictures,
 * averaged weights and optimiser state, most of large gradients, some of several chains, and merges that no text of the
 * tokenizer's needs. Weights of networks are rounded, to an error that their outputs do not show within the tolerance.
 * Files are packed as test/support/fixture-pack.ts says.
 */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gunzipSync } from 'node:zlib';
import { encodeSafetensors, parseSafetensors } from '../dist/checkpoint/safetensors-bytes.js';
import { readTorch } from '../dist/checkpoint/torch/read.js';
import { TorchTensor } from '../dist/checkpoint/torch/tensors.js';
import { encodeTorch } from '../dist/checkpoint/torch/write.js';

const SOURCE = path.resolve(process.env.CLIPVQ_FIXTURES ?? '../shared/fixtures');
const TARGET = fileURLToPath(new URL('../test/fixtures', import.meta.url));
const LIMIT = 3_000_000;
const read = (...parts) => fs.readFileSync(path.join(SOURCE, ...parts));

/** What is left out of a file of tensors, by name. */
const LEFT_OUT = {
  sampling: /^chain\.(plain|cfg1|fast1)/,
  lpips: /^simple\.(grad|layer[2-4])/,
  train_step: /^(params_after|step\d+\.(image|gumbel|noise)$)/,
  metrics: /^kid\.null/,
  end_to_end: /^(image0|.*\.(images|content|cos_sim|best_index)$)/,
};
const SAFETENSORS = [
  'schedule',
  'diffusion',
  'transformer',
  'vqgan',
  'discriminator',
  'lpips',
  'clip',
  'sampling',
  'train_step',
  'end_to_end',
  'optim',
  'metrics',
  'preprocess',
];
const JSONS = ['sample_time', 'sampling', 'optim', 'tokenizer'];
const MERGES = 'bpe_simple_vocab_16e6.txt.gz';
const SOLVER = 'diffusion_tiny_last.pth';
/** Checkpoints above this many bytes are cut down or left out. */
const SMALL_FILE = 6000;
/** Gradients with more numbers than this are cut to as many. */
const HEAD = 40;
/**
 * Bits behind the leading one of rounded weights: what each network tolerates: its outputs stay within their tolerance.
 */
const MANTISSA_BITS = { clip: 13, transformer: 15, train_step: 13, vqgan: 16, discriminator: 17 };

fs.rmSync(TARGET, { recursive: true, force: true });
let total = 0;
for (const name of SAFETENSORS) write(`${name}.safetensors`, planes(cut(name)));
for (const name of JSONS) write(`${name}.json`, read(`${name}.json`));
write(MERGES, cutMerges());
cutCheckpoints();
console.log(`${String(total).padStart(8)}  in all`);
if (total > LIMIT) throw new Error(`${total} bytes are more than ${LIMIT}: leave something out`);

function write(name, bytes) {
  const packed = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
  const file = path.join(TARGET, `${name}.br`);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, packed);
  total += packed.length;
  console.log(`${String(packed.length).padStart(8)}  ${name}`);
}

/** A file with less in it; `<name>.head8` and `<name>.norm_sum` take the place of large gradients `<name>`. */
function cut(label) {
  const { tensors, metadata } = parseSafetensors(read(`${label}.safetensors`), label);
  const kept = {};
  for (const [name, array] of Object.entries(tensors)) {
    const { data } = array;
    const isLarge = /^grads/.test(name) && data.length > HEAD;
    if (LEFT_OUT[label]?.test(name)) continue;
    if (/^params0?\./.test(name)) kept[name] = rounded(array, MANTISSA_BITS[label]);
    else if (!isLarge) kept[name] = array;
    else if (name.endsWith('.head8')) kept[name] = head(data);
    else {
      kept[`${name}.head8`] = head(data);
      const sum = data.reduce((a, b) => a + b, 0);
      kept[`${name}.norm_sum`] = { dtype: 'float64', shape: [2], data: Float64Array.of(Math.hypot(...data), sum) };
    }
  }
  if (label === 'clip') clearUnread(kept['params.token_embedding.weight'], kept.tokens.data);
  return Buffer.concat(encodeSafetensors(kept, metadata));
}

function head(data) {
  return { dtype: 'float32', shape: [HEAD], data: Float32Array.from(data.subarray(0, HEAD)) };
}

/** Sets the rows [rows, width] that no index names to zero. */
function clearUnread({ shape, data }, indices) {
  const [rows, width] = shape;
  const read = new Set(indices);
  for (let row = 0; row < rows; row++) if (!read.has(row)) data.fill(0, row * width, (row + 1) * width);
}

/** The nearest float32 whose mantissa ends in zeros: they pack well. */
function rounded(array, mantissaBits) {
  if (array.dtype !== 'float32') return array;
  const dropped = 23 - mantissaBits;
  const data = Float32Array.from(array.data);
  const bits = new Uint32Array(data.buffer);
  for (let i = 0; i < bits.length; i++) bits[i] = ((bits[i] + (1 << (dropped - 1))) >>> dropped) << dropped;
  return { ...array, data };
}

/**
 * The published merges, as text; a line that cannot apply to any text of the fixture becomes one that applies to none.
 */
function cutMerges() {
  const [title, ...lines] = gunzipSync(read(MERGES)).toString('utf8').split('\n').slice(0, 48895);
  const { entries } = JSON.parse(read('tokenizer.json').toString('utf8'));
  const texts = entries.map(({ cleaned }) => standIns(cleaned)).join('\n');
  const applies = (line) => texts.includes(line.replace(' ', '').replace('</w>', ''));
  return Buffer.from([title, ...lines.map((line) => (applies(line) ? line : '\u2400 \u2400'))].join('\n'));
}

/** CLIP's tokenizer writes bytes as printable characters: those that are none are numbered from 256 on. */
function standIns(text) {
  const printable = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  const others = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !printable(byte));
  return [...Buffer.from(text, 'utf8')]
    .map((byte) => String.fromCharCode(printable(byte) ? byte : 256 + others.indexOf(byte)))
    .join('');
}

/**
 * Small files as they are; of the solver's the last weights of the diffusion model alone, without their average and
 * optimiser state.
 */
function cutCheckpoints() {
  const index = JSON.parse(read('checkpoints', 'index.json').toString('utf8'));
  const small = fs
    .readdirSync(path.join(SOURCE, 'checkpoints'))
    .filter((name) => name !== 'index.json' && read('checkpoints', name).length < SMALL_FILE);
  for (const name of small) write(`checkpoints/${name}`, read('checkpoints', name));

  const isKept = (tensor) => tensor.startsWith('model/transformer.');
  const solver = readTorch(path.join(SOURCE, 'checkpoints', SOLVER));
  write(`checkpoints/${SOLVER}`, planes(Buffer.concat([...encodeTorch(pruned(solver, '', isKept))])));

  const { tensors, top_level, format } = index[SOLVER];
  const own = Object.fromEntries(small.filter((name) => name in index).map((name) => [name, index[name]]));
  own[SOLVER] = {
    format,
    top_level,
    tensors: Object.fromEntries(Object.entries(tensors).filter(([at]) => isKept(at))),
  };
  write('checkpoints/index.json', Buffer.from(JSON.stringify(own)));
}

/** The same without tensors that are not kept, and with texts for keys. */
function pruned(value, at, isKept) {
  if (value instanceof TorchTensor) return value.load();
  if (Array.isArray(value)) return value.map((below) => pruned(below, at, isKept));
  if (!(value instanceof Map)) return value;
  const inside = [...value].map(([key, below]) => [String(key), below, at === '' ? String(key) : `${at}/${key}`]);
  const kept = inside.filter(([key, below, name]) => (below instanceof TorchTensor ? isKept(name) : key !== 'state'));
  return new Map(kept.map(([key, below, name]) => [key, pruned(below, name, isKept)]));
}

/**
 * The length; then the first bytes of all 32-bit numbers, then the second ones, and so on: exponents lie together and
 * shrink.
 */
function planes(bytes) {
  const count = Math.ceil(bytes.length / 4);
  const out = new Uint8Array(4 + 4 * count);
  new DataView(out.buffer).setUint32(0, bytes.length, true);
  for (let i = 0; i < bytes.length; i++) out[4 + (i % 4) * count + (i >> 2)] = bytes[i];
  return out;
}
