/** The tokenizer of a run on its own: pictures to codes and back need neither a diffusion model nor a CLIP. */

import type { RgbImage } from '../data/pictures/image.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import type { RunDirectory } from '../run/directory.ts';
import { openRunCodec } from '../run/models.ts';
import type { Codec } from '../vqgan/codec.ts';
import { decodePictures, encodePictures } from './codes.ts';

/** A run's tokenizer on an engine of its own. */
export class Reconstructor {
  private constructor(
    private readonly run: RunDirectory,
    private readonly engine: Engine,
    private readonly codec: Codec,
  ) {}

  /** @throws UserError if the run has no trained tokenizer, or its file is damaged or foreign. */
  static async open(run: RunDirectory, options: EngineOptions = {}): Promise<Reconstructor> {
    const engine = Engine.start(options);
    try {
      return new Reconstructor(run, engine, openRunCodec(run, engine));
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /**
   * What the tokenizer keeps of pictures of the model's size.
   * @throws UserError for pictures of another size.
   */
  async reconstruct(images: readonly RgbImage[]): Promise<RgbImage[]> {
    const { recipe } = this.run.settings;
    return decodePictures(this.codec, await encodePictures(this.codec, images, recipe), recipe);
  }

  async close(): Promise<void> {
    await this.engine.close();
  }
}
