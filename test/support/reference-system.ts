/**
 * The whole official system in small (tokenizer, CLIP, diffusion model) from its own checkpoint, on our engine: what
 * the fixtures of training and of generation start from.
 */

import { float32, int32, type NDArray } from '../../src/base/ndarray.ts';
import { readTorch } from '../../src/checkpoint/torch/read.ts';
import { TorchTensor } from '../../src/checkpoint/torch/tensors.ts';
import type { Value } from '../../src/checkpoint/torch/values.ts';
import { type DiffusionModel, diffusionParameters, type TransformerConfig } from '../../src/diffusion/transformer.ts';
import type { Engine } from '../../src/engine/engine.ts';
import * as g from '../../src/graph/index.ts';
import { toEngineLayout } from '../../src/nn/kernel-layout.ts';
import { normalize } from '../../src/nn/layers.ts';
import { adopt } from '../../src/nn/parameters.ts';
import { decodeCodes, encodeCodes } from '../../src/vqgan/codec.ts';
import { type Tokenizer, tokenizerParameters } from '../../src/vqgan/model.ts';
import { clipPixels, imageFeatures, textFeatures, type VitClip, vitClipParameters } from '../reference/vit.ts';
import { type Fixture, fixturePath } from './fixtures.ts';
import { checkpointFile } from './reference-checkpoints.ts';
import { clipConfig, type OfficialClip } from './reference-clip.ts';

/** Settings of the reference's system that a fixture names. */
export interface OfficialSystem {
  /** Side of a picture in pixels. */
  readonly res: number;
  readonly K: number;
  readonly side: number;
  readonly n_embd: number;
  readonly n_head: number;
  readonly n_layer: number;
  readonly T: number;
}

/** Its tokenizer's. */
export interface DdConfig {
  readonly z_channels: number;
  readonly resolution: number;
  readonly ch: number;
  readonly ch_mult: readonly number[];
  readonly num_res_blocks: number;
  readonly attn_resolutions: readonly number[];
}

/** Groups of every group normalisation, fixed in the official code. */
const GROUPS = 32;

/** The solver's checkpoint that a fixture names among its settings, or else the one in the folder. */
function checkpointOf(file: Fixture): string {
  const named = file.has('weights') ? /checkpoints\/(\S+)/.exec(String(file.setting('weights')))?.[1] : undefined;
  const name = named ?? checkpointFile('solver');
  if (name === undefined) throw new Error("the fixtures have no solver's checkpoint");
  return name;
}

/** A checkpoint of the official solver. */
export class SolverCheckpoint {
  readonly #root: Value;

  constructor(private readonly name: string) {
    this.#root = readTorch(fixturePath('checkpoints', name));
  }

  /** The value behind keys and indices, which must be there. */
  at(...keys: readonly (string | number)[]): Value {
    let value: Value | undefined = this.#root;
    for (const key of keys)
      value = value instanceof Map ? value.get(key) : Array.isArray(value) ? value[Number(key)] : undefined;
    if (value === undefined) throw new Error(`the checkpoint has no ${keys.join('/')}`);
    return value;
  }

  number(...keys: readonly (string | number)[]): number {
    const value = this.at(...keys);
    if (typeof value === 'number') return value;
    throw new TypeError(`${keys.join('/')} is not a number`);
  }

  /** The tensors of a part whose names start with a prefix, without it. */
  tensors(part: string, prefix: string): Record<string, NDArray> {
    const dict = this.at(part);
    if (!(dict instanceof Map)) throw new TypeError(`${part} is not a state dict`);
    const found: Record<string, NDArray> = {};
    for (const [name, value] of dict) {
      if (value instanceof TorchTensor && typeof name === 'string' && name.startsWith(prefix)) {
        found[name.slice(prefix.length)] = value.load();
      }
    }
    return found;
  }

  /** The network weights of the diffusion model, without its buffers. */
  diffusion(part: 'model' | 'ema', config: TransformerConfig): DiffusionModel<NDArray<'float32'>> {
    const all = this.tensors(part, part === 'model' ? 'transformer.' : '');
    const weights = Object.entries(all).filter(
      ([name]) => name === 'empty_text_embed' || name.startsWith('transformer.'),
    );
    return adopt(diffusionParameters(config), Object.fromEntries(weights), this.name);
  }
}

export class ReferenceSystem {
  readonly checkpoint: SolverCheckpoint;
  readonly config: TransformerConfig;
  /** Side of the pictures. */
  readonly side: number;
  readonly #clip: ReturnType<typeof clipConfig>;
  readonly #state:
    | { readonly tokenizer: Tokenizer<NDArray<'float32'>>; readonly clip: VitClip<NDArray<'float32'>> }
    | undefined;

  constructor(
    private readonly engine: Engine,
    file: Fixture,
  ) {
    const system = file.setting('system') as OfficialSystem;
    const dd = file.setting('ddconfig') as DdConfig;
    const name = checkpointOf(file);
    this.checkpoint = new SolverCheckpoint(name);
    this.side = dd.resolution;
    this.#clip = clipConfig(file.setting('clip') as OfficialClip);
    const model = this.checkpoint.tensors('model', 'transformer.transformer.blocks.0.mlp.');
    const hidden = (model['conv1.weight'] ?? model['0.weight'])!.shape[0]!;
    this.config = {
      layers: system.n_layer,
      dim: system.n_embd,
      heads: system.n_head,
      mlp: 'conv1.weight' in model ? 'conv' : 'fc',
      mlpRatio: hidden / system.n_embd,
      timesteps: system.T,
      codes: system.K,
      grid: system.side,
      conditionDim: this.#clip.dim,
    };
    const shape = {
      patchSize: 1,
      channels: dd.ch,
      channelMultipliers: [...dd.ch_mult],
      residualBlocks: dd.num_res_blocks,
      attentionResolutions: [...dd.attn_resolutions],
      middleAttention: true,
      normGroups: GROUPS,
      latentChannels: dd.z_channels,
      codes: system.K,
      codeDim: dd.z_channels,
    };
    const codec = {
      ...this.checkpoint.tensors('model', 'content_codec.enc.'),
      ...this.checkpoint.tensors('model', 'content_codec.dec.'),
    };
    // How many steps the temperature schedule has taken is a buffer, not a weight.
    const weights = Object.fromEntries(Object.entries(codec).filter(([, { dtype }]) => dtype === 'float32'));
    if (Object.keys(weights).length === 0) return;
    this.#state = {
      tokenizer: toEngineLayout(adopt(tokenizerParameters(shape, dd.resolution), weights, name)),
      clip: adopt(vitClipParameters(this.#clip), this.checkpoint.tensors('model', 'condition_codec.clip.'), name),
    };
  }

  /**
   * Whether the checkpoint holds the frozen tokenizer and CLIP, which the part of the fixtures in the repository leaves
   * out.
   */
  get isWhole(): boolean {
    return this.#state !== undefined;
  }

  /** Put tokenizer and CLIP where the programs below find them. */
  async load(): Promise<void> {
    if (this.#state) await this.engine.load(this.#state);
  }

  /**
   * Codes of pictures [batch, 3, side, side] in 0..255, drawn with Gumbel noise [batch, codes, grid, grid] as
   * officially.
   */
  async encode(pictures: NDArray, gumbel: NDArray): Promise<NDArray> {
    const feeds = { x: scaled(pictures, (value) => (2 * value) / 255 - 1), gumbel };
    return this.#run(feeds, ({ tokenizer }, { x, gumbel }) => {
      const [batch, codes] = gumbel!.shape as readonly [number, number];
      const noise = g.transpose(g.reshape(gumbel!, [batch, codes, -1]), [0, 2, 1]);
      return encodeCodes(tokenizer, x!, { normGroups: GROUPS, normalizeLatents: false }, noise);
    });
  }

  /** Pictures in 0..255, [batch, 3, side, side], of codes [batch, tokens]. */
  async decode(codes: ArrayLike<number>): Promise<NDArray> {
    const tokens = this.config.grid ** 2;
    const feeds = { codes: int32(Int32Array.from(codes), [codes.length / tokens, tokens]) };
    const planes = await this.#run(feeds, ({ tokenizer }, { codes }) => decodeCodes(tokenizer, codes!, GROUPS));
    return scaled(planes, (value) => ((Math.min(1, Math.max(-1, value)) + 1) / 2) * 255);
  }

  /** Unit CLIP embeddings [batch, dim] of pictures in 0..255. */
  embedImages(pictures: NDArray): Promise<NDArray> {
    const { imageSize, imageHeads } = this.#clip;
    const feeds = { x: scaled(pictures, (value) => value / 255) };
    return this.#run(feeds, ({ clip }, { x }) => normalize(imageFeatures(clip, clipPixels(x!, imageSize), imageHeads)));
  }

  /** Unit CLIP embeddings [batch, dim] of token rows. */
  embedTexts(tokens: NDArray): Promise<NDArray> {
    return this.#run({ tokens }, ({ clip }, { tokens }) =>
      normalize(textFeatures(clip, tokens!, this.#clip.textHeads)),
    );
  }

  async #run(
    feeds: Readonly<Record<string, NDArray>>,
    fn: (
      state: { tokenizer: Tokenizer<g.Tensor>; clip: VitClip<g.Tensor> },
      feeds: Readonly<Record<string, g.Tensor>>,
    ) => g.Tensor,
  ): Promise<NDArray> {
    if (!this.#state) throw new Error('the checkpoint holds neither tokenizer nor CLIP');
    const program = g.trace({ state: this.#state, feeds }, (inputs) => ({ out: fn(inputs.state, inputs.feeds) }));
    return (await (await this.engine.compile(program)).run({ feeds })).out!;
  }
}

const scaled = ({ shape, data }: NDArray, map: (value: number) => number): NDArray<'float32'> =>
  float32(Float32Array.from(data, map), shape);
