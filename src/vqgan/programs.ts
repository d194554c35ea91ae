/** The programs of the tokenizer stage: a training step for each variant, the latents of pictures, and the codes they choose. */

import * as g from '../graph/index.ts';
import { type AdamState, adamw } from '../optim/adamw.ts';
import { gridSize, type TokenizerRecipe, type TokenizerSettings } from '../recipe.ts';
import type { Tree } from '../ndarray.ts';
import { discriminatorLoss, generatorLoss } from './adversarial.ts';
import {
  type Discriminator,
  type DiscriminatorBuffers,
  discriminate,
  discriminatorBuffers,
  discriminatorParameters,
} from './discriminator.ts';
import { absoluteError, adversarialLoss, autoencode, plainLoss, reconstruct, squaredError } from './loss.ts';
import { lpips } from './lpips.ts';
import type { LpipsWeights } from './lpips-weights.ts';
import { encode, type Tokenizer, tokenizerParameters } from './model.ts';
import { codeLogits, codeShares, latentRows } from './quantizer.ts';
import type { Variant } from './schedule.ts';
