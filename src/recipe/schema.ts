/** The recipe: every setting of a run, in one schema. The command line's help, the presets and the run directory all read it. */

import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { presets } from './presets/index.ts';
import { ONE_STAGE, PICTURES } from './presets/parts.ts';
import { refuseEmptyInterval, refuseUnfit } from './rules.ts';

export { presets } from './presets/index.ts';

const positive = () => z.number().positive();
const count = () => z.int().positive();
const fraction = () => z.number().min(0).max(1);

const pictures = z.strictObject({
  background: z
    .string()
    .regex(/^#[0-9a-f]{6}$/, 'is not a colour such as #ffffff')
    .default('#ffffff')
    .describe('what transparent pixels lie on, as #rrggbb'),
  crop: z
    .enum(['centre', 'random'])
    .default('centre')
    .describe('the middle square, or a random one of eight ninths of it and more, near the middle'),
  flip: z.boolean().default(false).describe('mirror half of the pictures'),
  views: count()
    .default(1)
    .describe(
      'crops and mirrorings of a picture that the diffusion model learns from; the tokenizer sees a new one every epoch',
    ),
});

const clip = z.strictObject({
  dim: count().describe('width of the shared space of pictures and texts'),
  imageSize: count().describe('side of the pictures the image tower sees, in pixels'),
  imageChannels: count().describe(
    'channels of the first level of the image tower, at a quarter of the side; they double as the picture shrinks',
  ),
  textWidth: count().describe('width of the token embeddings'),
  textHidden: count().describe('width of the n-gram features of the text tower'),
  vocabulary: count().describe('size of the byte-pair vocabulary'),
  context: count().describe('longest text, in tokens'),
  pairs: count().describe('captioned pictures the compact CLIP is trained on; the generator never sees them'),
  steps: count(),
  batch: count(),
  captions: count().describe('captions of each picture in a step, each in words of its own'),
  learningRate: positive(),
  warmupSteps: z.int().min(0),
  weightDecay: z.number().min(0),
  gapWeight: z
    .number()
    .min(0)
    .default(0)
    .describe('weight of the squared distance between the mean picture and the mean text of a batch in the loss'),
});

const tokenizer = z.strictObject({
  patchSize: count().describe('side of the squares of pixels that the network takes in as channels; 1 in the paper'),
  channels: count().describe('channels at full resolution ("ch")'),
  channelMultipliers: z
    .array(count())
    .min(1)
    .describe('channels of each level, as multiples; each further level halves the resolution'),
  residualBlocks: count().describe('residual blocks a level'),
  attentionResolutions: z.array(count()).describe('grid sizes at which attention blocks follow the residual blocks'),
  middleAttention: z.boolean().describe('whether an attention block stands between the two middle blocks'),
  normGroups: count().describe('groups of each group normalisation; must divide every number of channels'),
  latentChannels: count().describe('channels of the latent grid ("z_channels")'),
  codes: count().describe('size of the codebook, K'),
  codeDim: count().describe('width of a code ("embed_dim")'),
  normalizeLatents: z.boolean().describe('whether latents are layer-normed at each position before they are quantized'),
  steps: count(),
  batch: count(),
  schedule: z
    .enum(['cosine', 'constant'])
    .default('cosine')
    .describe('learning rate after the warm-up: cosine decay over the steps, or constant, as in the paper'),
  learningRate: positive(),
  warmupSteps: z.int().min(0),
  beta1: fraction(),
  beta2: fraction(),
  autoencoderFraction: fraction().describe(
    'share of the run before codes exist: a plain autoencoder whose latents seed the codebook; 0 starts with codes',
  ),
  latentNoise: z.number().min(0).describe('Gaussian noise on the latents of the plain autoencoder'),
  temperatureStart: positive().describe('Gumbel temperature, cosine from here'),
  temperatureEnd: positive(),
  hardAfter: fraction().describe(
    'share of the run after which the quantizer is straight-through (one-hot forward, soft gradient); before it is soft',
  ),
  klWeight: z.number().min(0),
  klWarmup: fraction()
    .default(0)
    .describe('share of the run with codes over which klWeight rises from 0; 0 has it in full at once'),
  reviveAfter: z
    .int()
    .min(0)
    .default(0)
    .describe('steps without use after which a code is seeded anew inside a busy one; 0 never'),
  perceptualWeight: z
    .number()
    .min(0)
    .default(0)
    .describe('λ_p, the weight of the perceptual distance in the loss; 0 is none'),
  perceptualNet: z
    .enum(['vgg', 'alex', 'squeeze', 'clip'])
    .default('vgg')
    .describe('network whose features are compared: LPIPS with one of three, or the image tower of the compact CLIP'),
  perceptualAfter: fraction().default(0).describe('share of the run after which it counts'),
  discriminatorWeight: z
    .number()
    .min(0)
    .default(0)
    .describe('λ_disc, the share of the adversarial loss in the last gradient; 0 is no discriminator'),
  discriminatorStart: fraction().default(0.5).describe('share of the run after which the adversarial loss counts'),
  discriminatorWarmup: fraction()
    .default(0.05)
    .describe('share of the run before that in which the discriminator learns and nobody listens'),
  discriminatorLayers: count().default(3).describe('convolutions of stride 2 in front of the discriminator'),
  discriminatorChannels: count().default(64).describe('channels behind the first of them ("ndf")'),
  adversarialLoss: z.enum(['hinge', 'vanilla']).default('hinge').describe('what the discriminator minimises'),
  encode: z
    .enum(['argmax', 'sample'])
    .default('argmax')
    .describe(
      'how pictures become codes for the diffusion model: the most likely ones, or drawn, as the reference does',
    ),
});

/** How the diffusion model is trained in one stage; the second stage of the paper has settings of its own. */
const regime = {
  batch: count(),
  nullProbability: fraction().describe('share of the pictures trained without their condition, for guidance'),
  schedule: z
    .enum(['cosine', 'plateau'])
    .default('cosine')
    .describe('learning rate: cosine decay over the steps, or, as in the paper, lowered when a signal stops improving'),
  learningRate: positive().describe('what the warm-up climbs to'),
  warmupSteps: z.int().min(0),
  plateauSignal: z
    .enum(['loss', 'clip-score'])
    .default('loss')
    .describe(
      'what must improve: the loss of every step, or the CLIP score of pictures made every validateEvery steps',
    ),
  plateauFactor: fraction().default(0.5).describe('what a plateau multiplies the learning rate by'),
  plateauPatience: z.int().min(0).default(5000).describe('signals without improvement before the rate falls'),
  plateauCooldown: z.int().min(0).default(0).describe('signals after a fall during which none counts as bad'),
  plateauThreshold: z
    .number()
    .min(0)
    .default(0.1)
    .describe('an improvement is larger than this: a share of the best loss, or an amount of CLIP score'),
  minLearningRate: z.number().min(0).default(1e-6).describe('the plateau schedule stays above this'),
};

const diffusion = z.strictObject({
  timesteps: count().describe('T, the length of the diffusion'),
  alphaBarStart: fraction(),
  alphaBarEnd: fraction(),
  gammaBarStart: fraction(),
  gammaBarEnd: fraction(),
  layers: count(),
  dim: count(),
  heads: count(),
  mlp: z.enum(['conv', 'fc']).describe('feed-forward part of a block: two 3x3 convolutions or two linear layers'),
  mlpRatio: positive(),
  fold: z
    .union([z.literal(1), z.literal(2)])
    .default(1)
    .describe('side of the squares of tokens that the network takes as one position; 2 has a quarter of the positions'),
  noiseScale: z
    .number()
    .min(0)
    .describe('α of the pseudo text embedding: how far a CLIP image embedding is pushed in a random direction'),
  auxiliaryWeight: z.number().min(0).describe('λ_aux, the weight of the x_0 term of the loss'),
  maskWeights: z.tuple([positive(), positive()]).describe('loss weights of masked tokens and of the others'),
  steps: count(),
  ...regime,
  beta1: fraction(),
  beta2: fraction(),
  weightDecay: z.number().min(0),
  clipNorm: positive(),
  emaDecay: fraction(),
  emaEvery: count(),
  emaWarmup: z
    .boolean()
    .default(true)
    .describe('whether the average starts short and lengthens to emaDecay; the paper has emaDecay from the start'),
  validateEvery: count().default(2500).describe('steps between two CLIP scores, where they steer the learning rate'),
  validationPictures: count().default(16).describe('pictures made for a CLIP score'),
  validationPrompts: z
    .array(z.string().min(1))
    .default([])
    .describe('what they are asked to show; with none, the CLIP embeddings of training pictures are asked for'),
  updateInPlace: z
    .boolean()
    .default(false)
    .describe('write new weights over the old ones in a program of its own: half the memory for large models'),
});

const finetune = z.strictObject({
  steps: z
    .int()
    .min(0)
    .describe('steps of the second stage, which teaches guidance to a model trained without; 0 is one stage only'),
  ...regime,
});

/** How pictures are drawn; the options of `clipvq generate` are read from here too. */
export const samplingSchema = z.strictObject({
  sampler: z
    .enum(['ancestral', 'strided', 'purity', 'halton', 'remask', 'fast', 'reference'])
    .default('ancestral')
    .describe(
      'how codes are drawn: exact steps at even times (ancestral) or at chosen ones (strided), surest codes first (purity), far apart (halton), some drawn again (remask), or as the official program does with few (fast) or all steps (reference)',
    ),
  placement: z
    .enum(['even', 'cosine'])
    .default('even')
    .describe('times of strided and remask: evenly spaced, or few codes revealed first and many later'),
  remasking: fraction()
    .default(0.05)
    .describe('of remask: the most that a revealed code is masked again with, each step'),
  steps: count().describe(
    'reverse steps, each one pass of the network; fewer than T are exact strides, evenly spaced by ancestral',
  ),
  guidanceScale: z.number().min(0).describe('how strongly the prompt pulls; 1 is no guidance'),
  guidanceSchedule: z
    .enum(['constant', 'rising', 'falling'])
    .default('constant')
    .describe('how guidance goes over a chain: the same throughout, or linearly from or to none'),
  guidanceFrom: fraction().default(0).describe('share of the chain before guidance begins; steps without it cost half'),
  guidanceUntil: fraction().default(1).describe('share of the chain after which guidance ends'),
  truncation: positive().max(1).describe('keep the smallest set of codes whose probability reaches this; 1 keeps all'),
  promptPrefix: z.string().describe('put before every prompt'),
  nullEmbedding: z
    .enum(['normalized', 'raw'])
    .default('normalized')
    .describe(
      'how the null condition enters guidance: at unit length, as in training, or raw, as the reference samples',
    ),
});

export const recipeSchema = z.strictObject({
  preset: z.string(),
  imageSize: count().describe('side of the pictures, in pixels'),
  images: count().describe(
    'pictures drawn for the generator where the source is drawn (faces); folders use all they hold',
  ),
  pictures: pictures.default(PICTURES),
  clip,
  tokenizer,
  diffusion,
  finetune: finetune.default(ONE_STAGE),
  sampling: samplingSchema,
});

export type Recipe = z.infer<typeof recipeSchema>;
export type PictureSettings = z.infer<typeof pictures>;
export type ClipSettings = Recipe['clip'];
export type TokenizerSettings = Recipe['tokenizer'];
export type DiffusionSettings = z.infer<typeof diffusion>;
export type FinetuneSettings = z.infer<typeof finetune>;
export type SamplingSettings = Recipe['sampling'];
/** What the tokenizer needs to know. */
export type TokenizerRecipe = Pick<Recipe, 'imageSize' | 'tokenizer'>;

/** Side of the grid of codes: the picture in patches, halved once for each level after the first. */
export function gridSize({ imageSize, tokenizer }: TokenizerRecipe): number {
  return imageSize / (tokenizer.patchSize * 2 ** (tokenizer.channelMultipliers.length - 1));
}

/**
 * A preset with changes: `--set diffusion.layers=6`.
 * @throws UserError naming the preset, setting or value that does not exist or does not fit.
 */
export function makeRecipe(preset: string, changes: Readonly<Record<string, string>> = {}): Recipe {
  const base = Object.entries(presets).find(([name]) => name === preset)?.[1];
  if (!base) throw new UserError(`There is no preset "${preset}": choose one of ${Object.keys(presets).join(', ')}`);
  return changedRecipe(base, changes);
}

/**
 * A recipe with changes.
 * @throws UserError naming the setting or value that does not exist or does not fit.
 */
export function changedRecipe(base: Recipe, changes: Readonly<Record<string, string>> = {}): Recipe {
  const recipe = structuredClone(base) as Record<string, unknown>;
  for (const [path, text] of Object.entries(changes)) assign(recipe, path, text);
  return parseRecipe(recipe, 'settings');
}

/** Check a recipe that was read from somewhere. */
export function parseRecipe(value: unknown, where: string): Recipe {
  const result = recipeSchema.safeParse(value);
  if (result.success) {
    refuseUnfit(result.data, where);
    return result.data;
  }
  const issue = result.error.issues[0]!;
  throw new UserError(`${where}: ${issue.path.join('.') || 'the recipe'}: ${issue.message}`);
}

/**
 * Check sampling settings that do not come from a recipe alone.
 * @throws UserError naming the setting that is out of its range.
 */
export function checkSampling(value: SamplingSettings, where: string): void {
  const issue = samplingSchema.safeParse(value).error?.issues[0];
  if (issue) throw new UserError(`${where}.${issue.path.join('.')}: ${issue.message}`);
  refuseEmptyInterval(value, where);
}

function assign(recipe: Record<string, unknown>, path: string, text: string): void {
  const keys = path.split('.');
  const last = keys.pop()!;
  let at: unknown = recipe;
  for (const key of keys) at = isRecord(at) ? at[key] : undefined;
  if (!isRecord(at) || !(last in at))
    throw new UserError(`There is no setting "${path}": clipvq train --help lists them`);
  at[last] = typeof at[last] === 'string' ? text : parsed(path, text);
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UserError(`${path}=${text}: the value is not a number or list`);
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
