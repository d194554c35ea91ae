/** The denoiser of the transformer fixture: its sizes and weights, for the tests of the network and of whole chains. */

import { float32, type NDArray } from '../../src/base/ndarray.ts';
import {
  type DiffusionModel,
  diffusionParameters,
  type Transformer,
  type TransformerConfig,
} from '../../src/diffusion/transformer.ts';
import { adopt } from '../../src/nn/parameters.ts';
import type { Fixture } from './fixtures.ts';

interface OfficialConfig {
  n_layer: number;
  n_embd: number;
  n_head: number;
  mlp_hidden_times: number;
  mlp_type: string;
  diffusion_step: number;
  content_spatial_size: [number, number];
}

/** Our sizes from the official settings in the file. */
export function referenceConfig(file: Fixture): TransformerConfig {
  const config = file.setting('config') as OfficialConfig;
  return {
    layers: config.n_layer,
    dim: config.n_embd,
    heads: config.n_head,
    mlp: config.mlp_type === 'conv_mlp' ? 'conv' : 'fc',
    mlpRatio: config.mlp_hidden_times,
    timesteps: config.diffusion_step,
    codes: file.number('K'),
    grid: config.content_spatial_size[0],
    conditionDim: file.tensor('cond').shape[1]!,
  };
}

export function referenceWeights(file: Fixture): Transformer<NDArray<'float32'>> {
  return adopt(diffusionParameters(referenceConfig(file)).transformer, file.under('params.'), 'fixtures/transformer');
}

/** With a null embedding, which the transformer fixture does not hold. */
export function referenceModel(file: Fixture, nullEmbedding: ArrayLike<number>): DiffusionModel<NDArray<'float32'>> {
  return {
    transformer: referenceWeights(file),
    empty_text_embed: float32(Float32Array.from(nullEmbedding), [1, nullEmbedding.length]),
  };
}
