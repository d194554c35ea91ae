// Draws a picture with the files of `clipvq export <run> --onnx <dir>`: node onnx.mjs <dir> "a prompt" <picture.ppm>
// It fills the most certain places first. Any ONNX Runtime does: nothing here is of clip-vqdiffusion.
import fs from 'node:fs';
import path from 'node:path';
import { AutoTokenizer } from '@huggingface/transformers';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [folder, prompt, file] = [path.resolve(process.argv[2]), ...process.argv.slice(3)];
const open = (name) => InferenceSession.create(path.join(folder, name));
const { tokens, codes, timesteps, dim, context, promptPrefix, imageSize, ...model } = JSON.parse(
  fs.readFileSync(path.join(folder, 'model.json'), 'utf8'),
);
const tokenizer = await AutoTokenizer.from_pretrained(path.join(folder, 'clip'), { local_files_only: true });
const ids = tokenizer(promptPrefix + prompt, {
  padding: 'max_length',
  truncation: true,
  max_length: context,
}).input_ids;
const text = await open('clip/onnx/text_model.onnx');
const { text_embeds } = await text.run({ input_ids: new Tensor('int64', ids.data, ids.dims) });
const moved = text_embeds.data.map((t, i) => model.scale[i] * t + model.offset[i]);
const condition = moved.map((t) => t / Math.hypot(...moved));
const conditions = new Tensor('float32', Float32Array.from([...condition, ...model.nullCondition]), [2, dim]);

const denoiser = await open('denoiser.onnx');
const x = new Int32Array(tokens).fill(codes); // all masked
for (let step = 0; step < model.steps; step++) {
  const t = Math.floor(timesteps * (1 - step / model.steps)) - 1;
  const feeds = { tokens: new Tensor('int32', Int32Array.of(...x, ...x), [2, tokens]), condition: conditions };
  const { logProbs } = await denoiser.run({ ...feeds, t: new Tensor('int32', Int32Array.of(t, t), [2]) });
  const [given, nothing] = [logProbs.data.subarray(0, tokens * codes), logProbs.data.subarray(tokens * codes)];
  const guided = given.map((l, i) => nothing[i] + model.guidanceScale * (l - nothing[i]));
  const guesses = [...x.keys()]
    .filter((i) => x[i] === codes)
    .map((i) => {
      const row = guided.subarray(i * codes, (i + 1) * codes);
      const best = row.indexOf(Math.max(...row));
      return { i, best, certainty: 1 / row.reduce((sum, l) => sum + Math.exp(l - row[best]), 0) };
    });
  const open = Math.floor(tokens * (1 - (step + 1) / model.steps)); // places that stay masked
  guesses.sort((a, b) => b.certainty - a.certainty || a.i - b.i);
  for (const { i, best } of guesses.slice(0, guesses.length - open)) x[i] = best;
}

const decoder = await open('decoder.onnx');
const planes = (await decoder.run({ codes: new Tensor('int32', x, [1, tokens]) })).x.data; // [3, size, size] in [-1, 1]
const area = imageSize ** 2;
const bytes = Uint8Array.from({ length: 3 * area }, (_, i) =>
  Math.round((Math.min(1, Math.max(-1, planes[(i % 3) * area + Math.floor(i / 3)])) + 1) * 127.5),
);
fs.writeFileSync(file, Buffer.concat([Buffer.from(`P6 ${imageSize} ${imageSize} 255\n`), bytes]));
console.log(JSON.stringify([...x]));
