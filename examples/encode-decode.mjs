/**
 * A picture as codes, and back: what the tokenizer keeps of it.
 *
 *   node examples/encode-decode.mjs <model> <picture> <out.png>
 */

import { Generator, readImage, save } from 'clip-vqdiffusion';

const [model = 'my-run', picture = 'picture.jpg', out = 'reconstruction.png'] = process.argv.slice(2);

const generator = await Generator.load(model);
try {
  const image = await readImage(picture, generator.recipe.imageSize);
  const codes = await generator.encode([image]);
  console.log(`${codes.length} codes of ${generator.recipe.tokenizer.codes}: ${codes.slice(0, 8).join(' ')} …`);
  const [reconstruction] = await generator.decode(codes);
  if (reconstruction) await save(out, reconstruction);
} finally {
  await generator.close();
}
