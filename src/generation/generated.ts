/** The results of a generator, and the options of the ways to get them. */

import { bytesOf } from '../base/ndarray.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { fingerprint } from '../stage/fingerprint.ts';
import type { Frame, Passes } from './draw.ts';
import type { GenerateOptions, Request, SamplingChoice, Wanted } from './options.ts';
import type { Edit } from './provenance.ts';
import type { DrawnBatch } from './shared-batches.ts';
import type { StartCodes } from './start.ts';

/** A picture, with all that is needed to draw it again. */
export interface GeneratedImage {
  readonly image: RgbImage;
  /** The picture's codes, [tokens]: `decode` gives the picture back. */
  readonly tokens: Int32Array;
  /** What it was drawn for; a condition that is no text, in words. */
  readonly prompt: string;
  /** What it was guided away from. */
  readonly negative: string | undefined;
  readonly seed: number;
  /** Cosine of the picture with its prompt under the CLIP that conditioned it, in [-1, 1]. */
  readonly clipScore: number;
  /**
   * The mean of the candidates' cosines, where the picture is the best of several: what it would have been without
   * choosing.
   */
  readonly meanClipScore: number;
  readonly settings: SamplingChoice;
  /** Of this picture alone; the other candidates took as many each. */
  readonly passes: Passes;
  /** How it went on from another picture. */
  readonly edit?: Edit | undefined;
}

/** The options of `Generator.interpolate`: those of `generate`, one picture a condition. */
export interface InterpolateOptions extends Omit<GenerateOptions, 'count' | 'bestOf'> {
  /** Pictures on the way, both ends included; 8 by default. */
  readonly frames?: number | undefined;
}

/** The options of `Generator.stream`: those of `generate`, without a choice among candidates. */
export interface StreamOptions extends Omit<GenerateOptions, 'bestOf'> {
  /** Decode the pictures at every step. */
  readonly preview?: boolean | undefined;
}

/** A frame of a stream; the last one brings the finished pictures. */
export interface StreamFrame extends Frame {
  readonly pictures: readonly GeneratedImage[] | undefined;
}

/** A batch that was drawn, as its caller is given it: each picture with what it was drawn for. */
export function generatedImages(
  { prompts, negative, settings }: Request,
  wanted: readonly Wanted[],
  start: StartCodes | undefined,
  { images, tokens, scores, passes }: DrawnBatch,
): GeneratedImage[] {
  const width = tokens.length / images.length;
  return images.map((image, i) => {
    const own = tokens.slice(i * width, (i + 1) * width);
    return {
      image,
      tokens: own,
      prompt: prompts[wanted[i]!.prompt]!,
      negative,
      seed: wanted[i]!.seed,
      clipScore: scores[i]!,
      meanClipScore: scores[i]!,
      settings,
      passes,
      ...(start && { edit: editOf(start, own) }),
    };
  });
}

/** How a picture of these codes went on from the one that it started from. */
function editOf({ codes, strength, redraw }: StartCodes, drawn: Int32Array): Edit {
  return {
    start: fingerprint(bytesOf(codes)),
    strength,
    named: redraw?.reduce((sum, one) => sum + one, 0),
    changed: drawn.reduce((sum, code, i) => sum + (code === codes[i] ? 0 : 1), 0),
  };
}
