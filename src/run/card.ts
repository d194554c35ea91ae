/** A model card: README.md with the front matter that the Hugging Face hub reads. */

import type { Recipe } from '../recipe/schema.ts';

export interface CardFacts {
  readonly title: string;
  /** An SPDX identifier, where the owner has named one. */
  readonly license: string | undefined;
  readonly recipe: Recipe;
  readonly seed: number;
  /** Identity of weights and recipe. */
  readonly hash: string;
  /** The pictures in words that name no place on a disk. */
  readonly data: string;
  /** Pictures that were learned from, where that is known. */
  readonly pictures: number | undefined;
  /** The CLIP in words. */
  readonly clip: string;
  /** The last figures of each stage's log, by stage. */
  readonly metrics: Readonly<
    Record<string, { readonly step: number; readonly figures: Readonly<Record<string, number>> }>
  >;
  readonly version: string;
}

/** In every card that this program has written: one without it is the user's, and stays. */
export const CARD_MARK = '<!-- Written by clip-vqdiffusion. Without this line the file is left as it is. -->';

/** The card as Markdown; equal facts give equal text. */
export function modelCard(facts: CardFacts): string {
  const { title, recipe, seed, hash, version } = facts;
  const { imageSize: side } = recipe;
  return `${[
    frontMatter(facts),
    `# ${oneLine(title)}`,
    CARD_MARK,
    `Draws pictures of ${side}x${side} pixels for prompts. A CLIP-VQDiffusion model (a Gumbel VQ-GAN tokenizer, and a mask-and-replace diffusion transformer that a CLIP embedding drives), trained from pictures without captions.`,
    '## Use',
    '```\nclipvq generate --model . "a prompt"\n```',
    "```js\nimport { Generator, save } from 'clip-vqdiffusion';\n\nconst generator = await Generator.load('.');\nconst [picture] = await generator.generate('a prompt', { seed: 7 });\nawait save('picture.png', await generator.toPng(picture));\nawait generator.close();\n```",
    '## Data',
    dataText(facts),
    '## Recipe',
    recipeTable(recipe, facts.clip),
    `Seed ${seed}; made with clip-vqdiffusion ${version}; model hash \`${hash}\`. All settings are in \`run.json\`.`,
    '## Metrics',
    metricsText(facts),
    '## Limits',
    limitsText(facts),
  ].join('\n\n')}\n`;
}

const frontMatter = ({ license = 'unknown' }: CardFacts): string =>
  [
    '---',
    `license: ${license}`,
    'library_name: clip-vqdiffusion',
    'pipeline_tag: text-to-image',
    'tags:',
    '  - text-to-image',
    '  - vq-diffusion',
    '  - clip',
    '---',
  ].join('\n');

function dataText({ data, pictures }: CardFacts): string {
  const count = pictures === undefined ? '' : `, ${pictures.toLocaleString('en')} of them`;
  return `Pictures without captions: ${data}${count}. The generator has seen no words; what words mean it takes from the CLIP.`;
}

function recipeTable({ preset, imageSize, tokenizer, diffusion, finetune, sampling }: Recipe, clip: string): string {
  const rows: readonly (readonly [name: string, value: string])[] = [
    ['preset', preset],
    ['CLIP', clip],
    ['picture', `${imageSize}x${imageSize}`],
    ['codebook', `${tokenizer.codes} codes of ${tokenizer.codeDim} numbers`],
    ['tokenizer', `${tokenizer.steps} steps of ${tokenizer.batch} pictures`],
    [
      'denoiser',
      `${diffusion.layers} layers, width ${diffusion.dim}, ${diffusion.heads} heads, ${diffusion.timesteps} times`,
    ],
    ['diffusion', `${diffusion.steps} steps of ${diffusion.batch} pictures`],
    ...(finetune.steps > 0 ? [['fine-tuning', `${finetune.steps} steps`] as const] : []),
    ['sampling', `${sampling.sampler}, ${sampling.steps} steps, guidance ${sampling.guidanceScale}`],
  ];
  return ['| setting | value |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${oneLine(value)} |`)].join(
    '\n',
  );
}

function metricsText({ metrics }: CardFacts): string {
  const rows = Object.entries(metrics).flatMap(([stage, { step, figures }]) =>
    Object.entries(figures).map(
      ([name, value]) => `| ${stage} | ${step} | ${name} | ${Number(value.toPrecision(4))} |`,
    ),
  );
  if (rows.length === 0) return 'None are kept with the model: `clipvq evaluate --model .` measures it.';
  const table = ['| stage | step | figure | value |', '|---|---|---|---|', ...rows].join('\n');
  return `Of the last logged step of each stage, on training pictures; \`clipvq evaluate --model .\` measures the model.\n\n${table}`;
}

function limitsText({ recipe: { imageSize } }: CardFacts): string {
  return [
    `- It draws what its pictures show, at ${imageSize}x${imageSize} pixels, and shares what is one-sided in them.`,
    '- It follows words as far as its CLIP knows them; counting, writing and places in the picture are beyond it.',
    '- Trained on few pictures it repeats them: compare what it draws with what it has seen before showing it.',
    '- Its PNG files say that a machine has made them (XMP, `trainedAlgorithmicMedia`): leave that in.',
  ].join('\n');
}

/** Text from elsewhere stays on its line and in its cell. */
const oneLine = (text: string): string =>
  text
    .replaceAll(/[\s\p{C}]+/gu, ' ')
    .replaceAll('|', '\\|')
    .trim();
