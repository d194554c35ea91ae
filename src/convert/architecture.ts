/** Reads the settings of a network off the shapes of its parameters. */

import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import type { DiffusionSettings, Recipe, TokenizerSettings } from '../recipe/schema.ts';
import type { DiscriminatorShape } from '../vqgan/discriminator.ts';
import type { TokenizerShape } from '../vqgan/model.ts';

/** Anything with named shapes: tensors of a file, or of a model. */
export type Shapes = Readonly<Record<string, { readonly shape: readonly number[] }>>;

type TokenizerArchitecture = Omit<TokenizerShape, 'attentionResolutions'> & Pick<TokenizerSettings, 'normalizeLatents'>;

export interface TokenizerFindings {
  readonly settings: TokenizerArchitecture;
  /** Levels, 0 being the finest, whose residual blocks are followed by attention. */
  readonly attentionLevels: readonly number[];
}

/** The reference's constants, which no shape shows. */
const REFERENCE_NORM_GROUPS = 32;
/** The paper has 16 heads at a width of 512. */
const PAPER_HEAD_WIDTH = 32;

/**
 * A VQGAN tokenizer of the reference: channels, multipliers, blocks, codes.
 *
 * @throws UserError naming `label` and the parameter that is missing or does not fit.
 */
export function inferTokenizer(shapes: Shapes, label: string): TokenizerFindings {
  const size = sizes(shapes, label);
  if (!('quantize.proj.weight' in shapes))
    throw new UserError(
      `${label}: its quantizer is not the Gumbel one (no quantize.proj.weight); give a GumbelVQ checkpoint`,
    );
  const channels = size('encoder.conv_in.weight', 0);
  const levels = count(shapes, 'encoder.down.');
  const channelMultipliers = Array.from(
    { length: levels },
    (_, i) => size(`encoder.down.${i}.block.0.conv1.weight`, 0) / channels,
  );
  const patchSize = Math.sqrt(size('encoder.conv_in.weight', 1) / 3);
  if (levels === 0 || ![patchSize, ...channelMultipliers].every(Number.isInteger))
    throw new UserError(
      `${label}: the channels of its encoder are not multiples of the first; it is no VQGAN that this program knows`,
    );
  return {
    settings: {
      patchSize,
      channels,
      channelMultipliers,
      residualBlocks: count(shapes, 'encoder.down.0.block.'),
      middleAttention: 'encoder.mid.attn_1.norm.weight' in shapes,
      normGroups: REFERENCE_NORM_GROUPS,
      latentChannels: size('encoder.conv_out.weight', 0),
      codes: size('quantize.embed.weight', 0),
      codeDim: size('quantize.embed.weight', 1),
      normalizeLatents: false,
    },
    attentionLevels: Array.from({ length: levels }, (_, i) => i).filter(
      (i) => `encoder.down.${i}.attn.0.norm.weight` in shapes,
    ),
  };
}

/** A PatchGAN discriminator: a convolution in front, as many as there are layers, and one that scores. */
export function inferDiscriminator(shapes: Shapes, label: string): DiscriminatorShape {
  const convolutions = Object.values(shapes).filter(({ shape }) => shape.length === 4).length;
  return {
    discriminatorLayers: convolutions - 2,
    discriminatorChannels: sizes(shapes, label)('main.0.weight', 0),
  };
}

export interface DiffusionFindings {
  readonly settings: Pick<DiffusionSettings, 'timesteps' | 'layers' | 'dim' | 'heads' | 'mlp' | 'mlpRatio'>;
  /** K. */
  readonly codes: number;
  /** Side of the grid of codes. */
  readonly grid: number;
  /** Width of the CLIP embedding. */
  readonly conditionDim: number;
}

/**
 * A diffusion transformer: depth, width, T, K, kind of MLP.
 *
 * @param heads heads of the attention, which no shape shows; by default as many as make them 32 wide, as in the paper.
 * @throws UserError naming `label` and what is missing or does not fit.
 */
export function inferDiffusion(shapes: Shapes, label: string, heads?: number): DiffusionFindings {
  const size = sizes(shapes, label);
  const [codes, dim] = [size('transformer.to_logits.1.weight', 0), size('transformer.to_logits.1.weight', 1)];
  const grid = size('transformer.content_emb.height_emb.weight', 0);
  if (size('transformer.content_emb.width_emb.weight', 0) !== grid)
    throw new UserError(`${label}: its grid of codes is not square, which this program needs`);
  const mlp = 'transformer.blocks.0.mlp.conv1.weight' in shapes ? 'conv' : 'fc';
  const hidden = size(
    mlp === 'conv' ? 'transformer.blocks.0.mlp.conv1.weight' : 'transformer.blocks.0.mlp.0.weight',
    0,
  );
  const settings = {
    timesteps: size('transformer.blocks.0.ln1.emb.weight', 0),
    layers: count(shapes, 'transformer.blocks.'),
    dim,
    heads: heads ?? dim / PAPER_HEAD_WIDTH,
    mlp,
    mlpRatio: hidden / dim,
  } as const;
  if (!Number.isInteger(settings.heads))
    throw new UserError(
      `${label}: a width of ${dim} does not determine the number of attention heads; set it with ${option('heads')}`,
    );
  return { settings, codes, grid, conditionDim: size('transformer.blocks.0.ln2.emb.weight', 1) };
}

/** The end points of the noise schedule. */
export type ScheduleEnds = Pick<Recipe['diffusion'], 'alphaBarStart' | 'alphaBarEnd' | 'gammaBarStart' | 'gammaBarEnd'>;

/**
 * The end points, from the cumulative logarithms that the reference stores in float32, [T + 1] each. They are rounded
 * to five digits of their distance from the nearer of 0 and 1: what survives float32 and averaging.
 *
 * @throws UserError if what lies between them is not the linear schedule.
 */
export function inferSchedule(
  logAlphaBar: ArrayLike<number>,
  logGammaBar: ArrayLike<number>,
  label: string,
): ScheduleEnds {
  const last = logAlphaBar.length - 2;
  const end = (logs: ArrayLike<number>, t: number) => {
    const value = Math.exp(logs[t]!);
    return value < 0.5 ? Number(value.toPrecision(5)) : 1 - Number((1 - value).toPrecision(5));
  };
  const [alphaBarStart, alphaBarEnd] = [end(logAlphaBar, 0), end(logAlphaBar, last)];
  const [gammaBarStart, gammaBarEnd] = [end(logGammaBar, 0), end(logGammaBar, last)];
  for (let t = 0; t <= last; t++) {
    const share = t / last;
    const alphaError = Math.exp(logAlphaBar[t]!) - (alphaBarStart + share * (alphaBarEnd - alphaBarStart));
    const gammaError = Math.exp(logGammaBar[t]!) - (gammaBarStart + share * (gammaBarEnd - gammaBarStart));
    if (!(Math.abs(alphaError) < 1e-5 && Math.abs(gammaError) < 1e-5))
      throw new UserError(
        `${label}: its noise schedule is not linear at step ${t}; only the linear mask-and-replace schedule is known`,
      );
  }
  return { alphaBarStart, alphaBarEnd, gammaBarStart, gammaBarEnd };
}

/** The size of a named parameter along an axis. */
const sizes =
  (shapes: Shapes, label: string) =>
  (name: string, axis: number): number => {
    const size = shapes[name]?.shape[axis];
    if (size === undefined || size === 0)
      throw new UserError(`${label}: lacks ${name}, or it has an unexpected shape; the checkpoint is of another model`);
    return size;
  };

/** How many numbered members a list has: 'blocks.' counts blocks.0, blocks.1, … */
function count(shapes: Shapes, prefix: string): number {
  const members = Object.keys(shapes).flatMap((name) =>
    name.startsWith(prefix) ? [name.slice(prefix.length).split('.', 1)[0]!] : [],
  );
  return new Set(members).size;
}
