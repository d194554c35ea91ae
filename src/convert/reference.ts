/** Finds the tokenizer and the diffusion model in what the reference program and its predecessors have saved. */

import { UserError } from '../base/errors.ts';
import { TorchTensor } from '../checkpoint/torch/tensors.ts';
import type { Value } from '../checkpoint/torch/values.ts';

/** Tensors under the names that our parameters have too. */
export type Tensors = Readonly<Record<string, TorchTensor>>;

export interface ReferenceParts {
  /** encoder.*, decoder.*, quant_conv.*, post_quant_conv.*, quantize.*. */
  readonly tokenizer?: Tensors;
  /** The discriminator of the tokenizer's training: main.*, with its running statistics. */
  readonly discriminator?: Tensors;
  /** transformer.* and empty_text_embed. */
  readonly diffusion?: Tensors;
  /** What the reference keeps beside the weights: the noise schedule and the history of losses. */
  readonly buffers?: Tensors;
}

/** Which weights of a training checkpoint: their running average, or the last ones. */
export type WeightsChoice = 'ema' | 'model';

/**
 * The parts of a loaded file: a tokenizer's Lightning checkpoint (`state_dict`), a solver's checkpoint (`model`,
 * `ema`), or a bare state dict. By default averaged weights are taken; they hold no tokenizer,
 * which then comes from `model`. Prefixes that wrapping modules leave (`transformer.`, `module.`, `content_codec.enc.`)
 * are removed.
 *
 * @throws UserError if there is neither part.
 */
export function findParts(root: Value, weights: WeightsChoice, label: string): ReferenceParts {
  const nested = weights === 'ema' ? ['ema', 'model', 'state_dict'] : ['model', 'state_dict'];
  const dicts = [...nested.map((key) => (root instanceof Map ? root.get(key) : undefined)), root].map(tensorsOf);
  const parts: ReferenceParts = {
    ...dicts.map(diffusionIn).find((part) => part !== undefined),
    ...dicts.map(tokenizerIn).find((part) => part !== undefined),
  };
  if (parts.tokenizer || parts.diffusion) return parts;
  throw new UserError(
    `${label}: holds neither a VQGAN tokenizer nor a diffusion transformer; give a tokenizer's .ckpt, a solver's .pth or a released .pt`,
  );
}

/** Each marks its part: no other module has a parameter of this name. */
const DIFFUSION_MARK = 'transformer.content_emb.emb.weight';
const ENCODER_MARK = 'encoder.conv_in.weight';
const DECODER_MARK = 'decoder.conv_in.weight';
const DISCRIMINATOR_MARK = 'discriminator.main.0.weight';

function diffusionIn(tensors: ReadonlyMap<string, TorchTensor>): ReferenceParts | undefined {
  const prefix = prefixOf(DIFFUSION_MARK, tensors);
  if (prefix === undefined) return undefined;
  return {
    diffusion: under(prefix, tensors, /^(transformer\.|empty_text_embed$)/),
    buffers: under(prefix, tensors, /^(log_|Lt_)\w+$/),
  };
}

/** In a solver's checkpoint the tokenizer is split into a module that encodes and one that decodes. */
function tokenizerIn(tensors: ReadonlyMap<string, TorchTensor>): ReferenceParts | undefined {
  const [encoder, decoder] = [prefixOf(ENCODER_MARK, tensors), prefixOf(DECODER_MARK, tensors)];
  if (encoder === undefined || decoder === undefined) return undefined;
  const discriminator = prefixOf(DISCRIMINATOR_MARK, tensors);
  return {
    ...(discriminator !== undefined && { discriminator: under(`${discriminator}discriminator.`, tensors, /^main\./) }),
    tokenizer: {
      ...under(encoder, tensors, /^(encoder|quant_conv|quantize)\./),
      ...under(decoder, tensors, /^(decoder|post_quant_conv)\./),
    },
  };
}

function tensorsOf(value: Value | undefined): Map<string, TorchTensor> {
  const tensors = new Map<string, TorchTensor>();
  if (!(value instanceof Map)) return tensors;
  for (const [key, entry] of value)
    if (typeof key === 'string' && entry instanceof TorchTensor) tensors.set(key, entry);
  return tensors;
}

/** What stands before the name `mark`, whole or empty, in the first tensor that has it. */
function prefixOf(mark: string, tensors: ReadonlyMap<string, TorchTensor>): string | undefined {
  const name = [...tensors.keys()].find((key) => key === mark || key.endsWith(`.${mark}`));
  return name?.slice(0, -mark.length);
}

/** The tensors whose names, behind the prefix, match. */
function under(prefix: string, tensors: ReadonlyMap<string, TorchTensor>, pattern: RegExp): Tensors {
  const inside = [...tensors].filter(([name]) => name.startsWith(prefix) && pattern.test(name.slice(prefix.length)));
  return Object.fromEntries(inside.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
