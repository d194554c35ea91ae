/**
 * The recipe: every setting of a run, in one schema, with what it means, its range, and its default. Sizes and lengths
 * have no default: a preset names them. The command line's help, the presets and the run directory all read it.
 */

import * as z from 'zod';
import { ownSettings, samplerNames } from '../diffusion/samplers/index.ts';

/** No setting is larger: what lies beyond is a typing error. */
const MOST = { steps: 1e9, pictures: 1e9, batch: 65_536, width: 65_536, side: 16_384, depth: 1024, weight: 1e6 };

const count = (most: number) => z.int().positive().max(most);
const stepsFrom0 = () => z.int().min(0).max(MOST.steps);
const positive = () => z.number().positive().max(MOST.weight);
const weight = () => z.number().min(0).max(MOST.weight);
const fraction = () => z.number().min(0).max(1);

const pictures = z.strictObject({
  background: z
    .string()
    .regex(/^#[0-9a-f]{6}$/, 'is not a colour such as #ffffff')
    .default('#ffffff')
    .describe('what transparent pixels lie on, as #rrggbb'),
  crop: z
    .enum(['centre', 'pad', 'cover', 'random'])
    .default('centre')
    .describe(
      'what is seen of pictures that are not square: the middle square (centre), all of it on the background (pad), squares from end to end in turn, one a view (cover), or a random one of eight ninths of the middle and more (random)',
    ),
  flip: z.boolean().default(false).describe('mirror half of the pictures'),
  views: count(10_000)
    .default(1)
    .describe(
      'crops and mirrorings of a picture that the diffusion model learns from; the tokenizer sees a new one every epoch',
    ),
  duplicates: z
    .enum(['once', 'all'])
    .default('once')
    .describe('pictures that are the same byte for byte: trained on once, or as often as they are there'),
  exclude: z
    .array(z.string().min(1))
    .default([])
    .describe('names of pictures to leave out, as data check lists them; * stands for anything'),
  maxPixels: positive().max(1000).default(100).describe('megapixels; larger pictures are left out undecoded'),
  holdOut: fraction()
    .max(0.5)
    .default(0)
    .describe(
      'share of the pictures that no stage learns from, for evaluate and reconstruct; new runs on files hold out 0.05',
    ),
});

const clip = z.strictObject({
  dim: count(MOST.width).describe('width of the shared space of pictures and texts'),
  imageSize: count(MOST.side).describe('side of the pictures the image tower sees, in pixels'),
  imageChannels: count(MOST.width).describe(
    'channels of the first level of the image tower, at a quarter of the side; they double as the picture shrinks',
  ),
  textWidth: count(MOST.width).describe('width of the token embeddings'),
  textHidden: count(MOST.width).describe('width of the n-gram features of the text tower'),
  vocabulary: count(1e6).describe('size of the byte-pair vocabulary'),
  context: count(65_536).describe('longest text, in tokens'),
  pairs: count(MOST.pictures).describe(
    'captioned pictures the compact CLIP is trained on; the generator never sees them',
  ),
  steps: count(MOST.steps).describe('training steps'),
  batch: count(MOST.batch).describe('pictures a step'),
  captions: count(1000).default(4).describe('captions of each picture in a step, each in words of its own'),
  learningRate: positive().default(3e-3).describe('what the warm-up climbs to'),
  warmupSteps: stepsFrom0().default(30).describe('steps in which the learning rate rises from 0'),
  weightDecay: weight().default(0.05).describe('of AdamW'),
  gapWeight: weight()
    .default(0)
    .describe('weight of the squared distance between the mean picture and the mean text of a batch in the loss'),
  imageTower: z
    .string()
    .default('')
    .describe(
      'folder of a compact CLIP, or shipped: its image tower is kept as it is, and only the text tower learns; empty trains both',
    ),
  patience: stepsFrom0()
    .default(0)
    .describe(
      'looks at held-out pairs, 20 in all, without a lower loss after which training stops, with the best weights so far; 0 never stops. New runs on a file of pairs have 5',
    ),
});

const tokenizer = z.strictObject({
  patchSize: count(MOST.side).describe(
    'side of the squares of pixels that the network takes in as channels; 1 in the paper',
  ),
  channels: count(MOST.width).describe('channels at full resolution ("ch")'),
  channelMultipliers: z
    .array(count(1024))
    .min(1)
    .max(12)
    .describe('channels of each level, as multiples; each further level halves the resolution'),
  residualBlocks: count(MOST.depth).describe('residual blocks a level'),
  attentionResolutions: z
    .array(count(MOST.side))
    .default([])
    .describe('grid sizes at which attention blocks follow the residual blocks'),
  middleAttention: z
    .boolean()
    .default(false)
    .describe('whether an attention block stands between the two middle blocks'),
  normGroups: count(MOST.width)
    .default(8)
    .describe('groups of each group normalisation; must divide every number of channels'),
  latentChannels: count(MOST.width).describe('channels of the latent grid ("z_channels")'),
  codes: count(2 ** 20).describe('size of the codebook, K'),
  codeDim: count(MOST.width).describe('width of a code ("embed_dim")'),
  normalizeLatents: z
    .boolean()
    .default(true)
    .describe('whether latents are layer-normed at each position before they are quantized'),
  steps: count(MOST.steps).describe('training steps'),
  batch: count(MOST.batch).describe('pictures a step'),
  schedule: z
    .enum(['cosine', 'constant'])
    .default('cosine')
    .describe('learning rate after the warm-up: cosine decay over the steps, or constant, as in the paper'),
  learningRate: positive().default(1.5e-3).describe('what the warm-up climbs to'),
  warmupSteps: stepsFrom0().default(20).describe('steps in which the learning rate rises from 0'),
  beta1: fraction().default(0.9).describe('of Adam'),
  beta2: fraction().default(0.99).describe('of Adam'),
  autoencoderFraction: fraction()
    .default(0.28)
    .describe(
      'share of the run before codes exist: a plain autoencoder whose latents seed the codebook; 0 starts with codes',
    ),
  latentNoise: weight().default(0.3).describe('Gaussian noise on the latents of the plain autoencoder'),
  temperatureStart: positive().default(0.9).describe('Gumbel temperature, cosine from here'),
  temperatureEnd: positive().default(0.05).describe('to here'),
  hardAfter: fraction()
    .default(1)
    .describe(
      'share of the run after which the quantizer is straight-through (one-hot forward, soft gradient); before it is soft',
    ),
  klWeight: weight().default(5e-4).describe('weight of the KL divergence of the code distributions from uniform ones'),
  klWarmup: fraction()
    .default(0)
    .describe('share of the run with codes over which klWeight rises from 0; 0 has it in full at once'),
  reviveAfter: stepsFrom0()
    .default(0)
    .describe('steps without use after which a code is seeded anew inside a busy one; 0 never'),
  perceptualWeight: weight().default(0).describe('λ_p, the weight of the perceptual distance in the loss; 0 is none'),
  perceptualNet: z
    .enum(['vgg', 'alex', 'squeeze', 'clip'])
    .default('vgg')
    .describe('network whose features are compared: LPIPS with one of three, or the image tower of the compact CLIP'),
  perceptualAfter: fraction().default(0).describe('share of the run after which it counts'),
  discriminatorWeight: weight()
    .default(0)
    .describe('λ_disc, the share of the adversarial loss in the last gradient; 0 is no discriminator'),
  discriminatorStart: fraction().default(0.5).describe('share of the run after which the adversarial loss counts'),
  discriminatorWarmup: fraction()
    .default(0.05)
    .describe('share of the run before that in which the discriminator trains without affecting the tokenizer'),
  discriminatorLayers: count(12).default(3).describe('convolutions of stride 2 in front of the discriminator'),
  discriminatorChannels: count(MOST.width).default(64).describe('channels behind the first of them ("ndf")'),
  adversarialLoss: z.enum(['hinge', 'vanilla']).default('hinge').describe('what the discriminator minimises'),
  encode: z
    .enum(['argmax', 'sample'])
    .default('argmax')
    .describe(
      'how pictures become codes for the diffusion model: the most likely ones, or drawn, as the reference does',
    ),
});

/** How the diffusion model is trained in one stage; the second stage of the paper has settings of its own. */
const regime = (defaults: { readonly learningRate: number; readonly warmupSteps: number }) => ({
  nullProbability: fraction()
    .default(0.1)
    .describe('share of the pictures trained without their condition, for guidance'),
  schedule: z
    .enum(['cosine', 'plateau'])
    .default('cosine')
    .describe('learning rate: cosine decay over the steps, or, as in the paper, lowered when a signal stops improving'),
  learningRate: positive().default(defaults.learningRate).describe('what the warm-up climbs to'),
  warmupSteps: stepsFrom0().default(defaults.warmupSteps).describe('steps in which the learning rate rises from 0'),
  plateauSignal: z
    .enum(['loss', 'clip-score'])
    .default('loss')
    .describe(
      'what must improve: the loss of every step, or the CLIP score of pictures made every validateEvery steps',
    ),
  plateauFactor: fraction().default(0.5).describe('what a plateau multiplies the learning rate by'),
  plateauPatience: stepsFrom0().default(5000).describe('signals without improvement before the rate falls'),
  plateauCooldown: stepsFrom0().default(0).describe('signals after a fall during which none counts as bad'),
  plateauThreshold: weight()
    .default(0.1)
    .describe('an improvement is larger than this: a share of the best loss, or an amount of CLIP score'),
  minLearningRate: weight().default(1e-6).describe('the plateau schedule stays above this'),
});

const diffusion = z.strictObject({
  timesteps: count(100_000).default(100).describe('T, the length of the diffusion'),
  alphaBarStart: fraction().default(0.99999).describe('share of tokens that are kept after the first time'),
  alphaBarEnd: fraction().default(0.000009).describe('and after the last'),
  gammaBarStart: fraction().default(0.000009).describe('share of tokens that are masked after the first time'),
  gammaBarEnd: fraction().default(0.9).describe('and after the last'),
  layers: count(MOST.depth).describe('transformer blocks'),
  dim: count(MOST.width).describe('width of the transformer'),
  heads: count(MOST.depth).describe('attention heads; must divide dim'),
  mlp: z.enum(['conv', 'fc']).describe('feed-forward part of a block: two 3x3 convolutions or two linear layers'),
  mlpRatio: positive().max(1024).default(4).describe('width of the feed-forward part, as a multiple of dim'),
  fold: count(2)
    .default(1)
    .describe('side of the squares of tokens that the network takes as one position; 2 has a quarter of the positions'),
  noiseScale: weight()
    .default(0.25)
    .describe('α of the pseudo text embedding: how far a CLIP image embedding is pushed in a random direction'),
  auxiliaryWeight: weight().default(5e-4).describe('λ_aux, the weight of the x_0 term of the loss'),
  maskWeights: z
    .tuple([positive(), positive()])
    .default([1, 1])
    .describe('loss weights of masked tokens and of the others'),
  steps: count(MOST.steps).describe('training steps'),
  batch: count(MOST.batch).describe('pictures a step'),
  ...regime({ learningRate: 2e-3, warmupSteps: 50 }),
  beta1: fraction().default(0.9).describe('of AdamW'),
  beta2: fraction().default(0.96).describe('of AdamW'),
  weightDecay: weight().default(0.01).describe('of AdamW'),
  clipNorm: positive().default(0.5).describe('gradients longer than this are shortened to it'),
  emaDecay: fraction().default(0.995).describe('of the moving average of the weights, which is the model'),
  emaEvery: count(MOST.steps).default(1).describe('steps between two updates of the average'),
  emaWarmup: z
    .boolean()
    .default(true)
    .describe('whether the average starts short and lengthens to emaDecay; the paper has emaDecay from the start'),
  validateEvery: count(MOST.steps)
    .default(2500)
    .describe('steps between two CLIP scores, where they steer the learning rate'),
  validationPictures: count(MOST.batch).default(16).describe('pictures made for a CLIP score'),
  validationPrompts: z
    .array(z.string().min(1))
    .default([])
    .describe('prompts of those pictures; with none, they are made for the CLIP embeddings of training pictures'),
  updateInPlace: z
    .boolean()
    .default(false)
    .describe('write new weights over the old ones in a program of its own: half the memory for large models'),
});

/** One stage by default: guidance is learned from the start. */
const finetune = z.strictObject({
  steps: stepsFrom0()
    .default(0)
    .describe('steps of the second stage, which teaches guidance to a model trained without; 0 is one stage only'),
  batch: count(MOST.batch).default(16).describe('pictures a step'),
  ...regime({ learningRate: 1e-4, warmupSteps: 100 }),
});

/** How pictures are drawn; the options of `clipvq generate` are read from here too. */
export const samplingSchema = z.strictObject({
  sampler: z.enum(samplerNames).default('ancestral').describe('how codes are drawn; docs/samplers.md compares them'),
  ...ownSettings,
  steps: count(100_000).describe('reverse steps, each one pass of the network; at most diffusion.timesteps'),
  guidanceScale: weight()
    .default(2)
    .describe('how strongly the prompt is followed ("guidance scale"); 1 is no guidance'),
  guidanceSchedule: z
    .enum(['constant', 'rising', 'falling'])
    .default('constant')
    .describe('how guidance goes over a chain: the same throughout, or linearly from or to none'),
  guidanceFrom: fraction().default(0).describe('share of the chain before guidance begins; steps without it cost half'),
  guidanceUntil: fraction().default(1).describe('share of the chain after which guidance ends'),
  truncation: positive()
    .max(1)
    .default(0.9)
    .describe('keep the smallest set of codes whose probability reaches this; 1 keeps all'),
  promptPrefix: z.string().default('').describe('put before every prompt'),
  nullEmbedding: z
    .enum(['normalized', 'raw'])
    .default('normalized')
    .describe(
      'how the null condition enters guidance: at unit length, as in training, or raw, as the reference samples',
    ),
  correction: z
    .enum(['none', 'mean-shift', 'standardised', 'shrink'])
    .default('none')
    .describe(
      'how prompts are brought to where the embeddings of pictures lie: moved by the difference of the means, by mean and deviation of each number, or moved and drawn to the nearest pictures',
    ),
});

export const recipeSchema = z.strictObject({
  preset: z.string(),
  imageSize: count(MOST.side).describe('side of the pictures, in pixels'),
  images: count(MOST.pictures).describe(
    'pictures drawn for the generator where the source is drawn (faces); folders use all they hold',
  ),
  pictures: pictures.prefault({}),
  clip,
  tokenizer,
  diffusion,
  finetune: finetune.prefault({}),
  sampling: samplingSchema,
});

/** A recipe before defaults are filled in: what a preset says. */
export type RecipeInput = z.input<typeof recipeSchema>;

/** The schema of every setting but the preset's name, by its path such as `tokenizer.codes`. */
export const settingSchemas: ReadonlyMap<string, z.ZodType> = new Map(
  Object.entries(recipeSchema.shape).flatMap(([name, field]): [string, z.ZodType][] => {
    const section = field instanceof z.ZodPrefault ? field.unwrap() : field;
    if (section instanceof z.ZodObject)
      return Object.entries(section.shape).map(([key, schema]) => [`${name}.${key}`, schema as z.ZodType]);
    return name === 'preset' ? [] : [[name, field]];
  }),
);

export type Recipe = z.infer<typeof recipeSchema>;
export type PictureSettings = z.infer<typeof pictures>;
export type ClipSettings = Recipe['clip'];
export type TokenizerSettings = Recipe['tokenizer'];
export type DiffusionSettings = z.infer<typeof diffusion>;
export type SamplingSettings = Recipe['sampling'];
/** What the tokenizer needs to know. */
export type TokenizerRecipe = Pick<Recipe, 'imageSize' | 'tokenizer'>;

/** Side of the grid of codes: the picture in patches, halved once for each level after the first. */
export function gridSize({ imageSize, tokenizer }: TokenizerRecipe): number {
  return imageSize / (tokenizer.patchSize * 2 ** (tokenizer.channelMultipliers.length - 1));
}
