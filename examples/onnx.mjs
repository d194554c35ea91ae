// Draws with what `clipvq export <run> --onnx <dir>` has written: node onnx.mjs <dir> "a prompt" <picture.ppm>
import fs from 'node:fs';
import { AutoTokenizer } from '@huggingface/transformers';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [folder, prompt, file] = [fs.realpathSync(process.argv[2]), ...process.argv.slice(3)];
const { tokens, codes, steps, imageSize: size, ...model } = JSON.parse(fs.readFileSync(`${folder}/model.json`));
const open = (name) => InferenceSession.create(`${folder}/${name}.onnx`);
const ints = (data, ...dims) => new Tensor('int32', Int32Array.from(data), dims);
const tokenizer = await AutoTokenizer.from_pretrained(`${folder}/clip`, { local_files_only: true });
const ids = tokenizer(model.promptPrefix + prompt, { padding: 'max_length', max_length: model.context }).input_ids;
const [tower, denoiser, decoder] = [await open('clip/onnx/text_model'), await open('denoiser'), await open('decoder')];
const { text_embeds: text } = await tower.run({ input_ids: new Tensor('int64', ids.data, ids.dims) });
const moved = text.data.map((value, i) => model.scale[i] * value + model.offset[i]);
const rows = [...moved.map((value) => value / Math.hypot(...moved)), ...model.nullCondition];
const condition = new Tensor('float32', Float32Array.from(rows), [2, moved.length]); // with the prompt, without
const x = new Int32Array(tokens).fill(codes); // all masked
for (let step = 0; step < steps; step++) {
  const t = Math.floor(model.timesteps * (1 - step / steps)) - 1;
  const { logProbs } = await denoiser.run({ tokens: ints([...x, ...x], 2, tokens), t: ints([t, t], 2), condition });
  const guided = logProbs.data.subarray(tokens * codes).map((l, i) => l + model.guidanceScale * (logProbs.data[i] - l));
  const rowOf = Array.from(x, (_, i) => guided.subarray(i * codes, (i + 1) * codes));
  const best = rowOf.map((row) => row.indexOf(Math.max(...row)));
  const doubt = rowOf.map((row, i) => row.reduce((sum, l) => sum + Math.exp(l - row[best[i]]), 0));
  const masked = [...x.keys()].filter((i) => x[i] === codes).sort((a, b) => doubt[b] - doubt[a]);
  for (const i of masked.slice(tokens * (1 - (step + 1) / steps))) x[i] = best[i]; // the most doubtful stay masked
}
const { data: planes } = (await decoder.run({ codes: ints(x, 1, tokens) })).x; // about [-1, 1]
const pixels = Uint8ClampedArray.from(planes, (_, i) => 127.5 * (1 + planes[(i % 3) * size ** 2 + Math.floor(i / 3)]));
fs.writeFileSync(file, Buffer.concat([Buffer.from(`P6 ${size} ${size} 255\n`), Buffer.from(pixels.buffer)]));
