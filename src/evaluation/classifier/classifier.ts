/**
 * A trained classifier: what pictures show, with probabilities, and features for distances between sets of pictures.
 */

import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import { float32, type NDArray } from '../../base/ndarray.ts';
import { flatten } from '../../base/tree.ts';
import { readSafetensors, writeSafetensors } from '../../checkpoint/safetensors.ts';
import type { Engine, Executable } from '../../engine/engine.ts';
import * as g from '../../graph/index.ts';
import { adopt, literals } from '../../nn/parameters.ts';
import { planesOf } from '../../vqgan/pixels.ts';
import {
  type ClassifierConfig,
  type ClassifierParameters,
  classifierForward,
  classifierParameters,
} from './network.ts';

export interface Classification {
  /** By head: [pictures, classes], each row summing to 1. */
  readonly probabilities: Readonly<Record<string, Float32Array>>;
  /** The layer below the heads, [pictures, features]. */
  readonly features: Float32Array;
}

const FORMAT = 'clip-vqdiffusion classifier';
/** Pictures classified together. */
const BATCH = 64;

const configSchema = z.strictObject({
  size: z.int().min(4),
  channels: z.int().min(8),
  features: z.int().min(1),
  heads: z.array(z.strictObject({ name: z.string(), classes: z.array(z.string()).min(2) })).min(1),
});

/** A trained network that names the attributes of pictures. Its engine is the caller's to close. */
export class Classifier {
  private constructor(
    readonly config: ClassifierConfig,
    private readonly params: ClassifierParameters<NDArray<'float32'>>,
    private readonly program: Executable,
  ) {}

  /** Compile for inference: the parameters become constants of the program, and the engine's state is left alone. */
  static async create(
    engine: Engine,
    config: ClassifierConfig,
    params: ClassifierParameters<NDArray<'float32'>>,
  ): Promise<Classifier> {
    const program = await engine.compile(
      g.trace({ x: g.f32(BATCH, 3, config.size, config.size) }, ({ x }) => {
        const { features, logits } = classifierForward(literals(params), config, x);
        const heads = Object.entries(logits).map(([name, z]) => [name, g.softmax(z)] as const);
        return { features, heads: Object.fromEntries(heads) };
      }),
    );
    return new Classifier(config, params, program);
  }

  /** @throws UserError if the file is missing, damaged, or not a classifier. */
  static load(engine: Engine, file: string): Promise<Classifier> {
    const { tensors, metadata } = readSafetensors(file);
    if (metadata.format !== FORMAT) throw new UserError(`${file} is not a classifier of this program`);
    const config = configSchema.parse(JSON.parse(metadata.config ?? 'null'));
    return Classifier.create(engine, config, adopt(classifierParameters(config), tensors, file));
  }

  /** `metadata` are texts to keep beside the weights, such as what it was trained on. */
  save(file: string, metadata: Readonly<Record<string, string>> = {}): void {
    writeSafetensors(file, flatten<NDArray>(this.params), {
      ...metadata,
      format: FORMAT,
      config: JSON.stringify(this.config),
    });
  }

  /** Classify pictures, bytes [n, size, size, 3]. */
  async classify(pixels: Uint8Array): Promise<Classification> {
    const { size, heads, features: width } = this.config;
    const count = pixels.length / (3 * size * size);
    if (!Number.isInteger(count))
      throw new RangeError(`${pixels.length} bytes are no pictures of ${size}x${size} pixels`);
    const features = new Float32Array(count * width);
    const probabilities: Record<string, Float32Array> = {};
    for (const { name, classes } of heads) probabilities[name] = new Float32Array(count * classes.length);
    for (let start = 0; start < count; start += BATCH) {
      // An incomplete batch is filled up with its last picture, and the surplus cut off.
      const rows = Array.from({ length: BATCH }, (_, i) => Math.min(start + i, count - 1));
      const out = await this.program.run({ x: float32(planesOf(pixels, rows, size), [BATCH, 3, size, size]) });
      const put = (into: Float32Array, from: NDArray, row: number) =>
        into.set((from.data as Float32Array).subarray(0, (count - start) * row), start * row);
      put(features, out.features!, width);
      for (const { name, classes } of heads) put(probabilities[name]!, out[`heads.${name}`]!, classes.length);
    }
    return { probabilities, features };
  }
}

/** The most likely class of each row of probabilities [n, classes]; of equals the first. */
export function mostLikely(probabilities: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: probabilities.length / classes }, (_, row) => {
    let best = 0;
    for (let k = 1; k < classes; k++)
      if (probabilities[row * classes + k]! > probabilities[row * classes + best]!) best = k;
    return best;
  });
}
