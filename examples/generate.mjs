/**
 * Pictures for prompts.
 *
 *   node examples/generate.mjs <model> <folder> "a prompt" "another prompt"
 */

import path from 'node:path';
import { Generator, save } from 'clip-vqdiffusion';

const [model = 'my-run', folder = 'pictures', ...prompts] = process.argv.slice(2);

const generator = await Generator.load(model);
try {
  const pictures = await generator.generate(prompts.length > 0 ? prompts : ['a red hat'], {
    count: 2,
    seed: 7,
    onProgress: (done, total) => console.error(`${done} of ${total} steps`),
  });
  for (const [i, picture] of pictures.entries()) {
    const file = path.join(folder, `${i + 1}.png`);
    // A PNG that remembers its prompt, seed and settings.
    await save(file, await generator.toPng(picture));
    console.log(`${file}: "${picture.prompt}", seed ${picture.seed}, CLIP score ${picture.clipScore.toFixed(3)}`);
  }
} finally {
  await generator.close();
}
