// Draws a picture with the files of `clipvq export <run> --onnx <dir>`: node onnx.mjs <dir> "a prompt" <picture.ppm>
// It fills the most certain places first. Any ONNX Runtime does: nothing here is of clip-vqdiffusion.
import fs from 'node:fs';
import path from 'node:path';
import { AutoTokenizer } from '@huggingface/transformers';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [folder, prompt, file] = [path.resolve(process.argv[2]), ...process.argv.slice(3)];
const model = JSON.parse(fs.readFileSync(`${folder}/model.json`, 'utf8'));
const { tokens, codes, timesteps, steps, dim, imageSize: size } = model;
const open = (name) => InferenceSession.create(`${folder}/${name}.onnx`);
const ints = (data, ...dims) => new Tensor('int32', Int32Array.from(data), dims);
const tokenizer = await AutoTokenizer.from_pretrained(`${folder}/clip`, { local_files_only: true });
const whole = { padding: 'max_length', truncation: true, max_length: model.context };
const { input_ids: ids } = tokenizer(model.promptPrefix + prompt, whole);
const tower = await open('clip/onnx/text_model');
const { text_embeds: text } = await tower.run({ input_ids: new Tensor('int64', ids.data, ids.dims) });
const moved = text.data.map((t, i) => model.scale[i] * t + model.offset[i]);
const given = moved.map((t) => t / Math.hypot(...moved));
const condition = new Tensor('float32', Float32Array.of(...given, ...model.nullCondition), [2, dim]);

const [denoiser, decoder] = [await open('denoiser'), await open('decoder')];
const x = new Int32Array(tokens).fill(codes); // all masked
for (let step = 0; step < steps; step++) {
  const t = Math.floor(timesteps * (1 - step / steps)) - 1;
  const { logProbs } = await denoiser.run({ tokens: ints([...x, ...x], 2, tokens), t: ints([t, t], 2), condition });
  const nothing = logProbs.data.subarray(tokens * codes); // the second row is without the prompt
  const guided = nothing.map((l, i) => l + model.guidanceScale * (logProbs.data[i] - l));
  const guesses = [...x.keys()].flatMap((i) => {
    const row = guided.subarray(i * codes, (i + 1) * codes);
    const best = row.indexOf(Math.max(...row));
    return x[i] < codes ? [] : { i, best, doubt: row.reduce((sum, l) => sum + Math.exp(l - row[best]), 0) };
  });
  const masked = Math.floor(tokens * (1 - (step + 1) / steps)); // places that stay so
  guesses.sort((a, b) => a.doubt - b.doubt);
  for (const { i, best } of guesses.slice(0, guesses.length - masked)) x[i] = best;
}

const { x: planes } = await decoder.run({ codes: ints(x, 1, tokens) }); // [1, 3, size, size], about [-1, 1]
const byte = (_, i) => 127.5 * (1 + planes.data[(i % 3) * size * size + Math.floor(i / 3)]);
const pixels = Uint8ClampedArray.from({ length: 3 * size * size }, byte);
fs.writeFileSync(file, Buffer.concat([Buffer.from(`P6 ${size} ${size} 255\n`), Buffer.from(pixels.buffer)]));
console.log(JSON.stringify([...x]));
