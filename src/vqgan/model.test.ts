/** The shape of the tokenizer's parameters and what its layout operations do. */

import { describe, expect, it } from 'vitest';
import { interpret } from '../../test/support/interpreter.ts';
import { weights } from '../../test/support/numeric.ts';
import { flatten } from '../base/tree.ts';
import * as g from '../graph/index.ts';
import { countParameters } from '../nn/parameters.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { fromPatches, toPatches } from './blocks.ts';
import { decode, encode, tokenizerParameters, trainedParameters } from './model.ts';
import { planesOf } from './pixels.ts';

describe('patches', () => {
  it('put each square of pixels into the channels of one position, and back', () => {
    const x = weights([2, 3, 4, 6]);
    const program = g.trace({ x }, ({ x }) => {
      const patches = toPatches(x, 2);
      return { patches, back: fromPatches(patches, 2) };
    });
    const { patches, back } = interpret(program, { x });
    expect(patches!.shape).toEqual([2, 2, 3, 12]);
    expect([...back!.data]).toEqual([...x.data]);
    const pixel = (n: number, c: number, y: number, column: number) => x.data[((n * 3 + c) * 4 + y) * 6 + column]!;
    const square = [pixel(1, 2, 2, 4), pixel(1, 2, 2, 5), pixel(1, 2, 3, 4), pixel(1, 2, 3, 5)];
    // Picture 1, channels 8 to 11 (those of colour 2), last row and column.
    expect([8, 9, 10, 11].map((c) => patches!.data[((2 + 1) * 3 + 2) * 12 + c]!)).toEqual(square);
  });
});

describe('tokenizerParameters', () => {
  const paper = { imageSize: 256, attentionResolutions: [16], residualBlocks: 2, latentChannels: 256 };
  const settings = {
    ...makeRecipe('nano').tokenizer,
    patchSize: 1,
    channels: 128,
    channelMultipliers: [1, 1, 2, 2, 4],
    residualBlocks: paper.residualBlocks,
    attentionResolutions: paper.attentionResolutions,
    middleAttention: true,
    normGroups: 32,
    latentChannels: paper.latentChannels,
    codes: 4096,
    codeDim: 256,
  };

  it('has attention only where the settings have it', () => {
    const names = Object.keys(flatten(tokenizerParameters(settings, paper.imageSize)));
    const levels = new Set(names.flatMap((name) => /(?:down|up)\.(\d)\.attn\./.exec(name)?.[1] ?? []));
    expect([...levels]).toEqual(['4']);
    expect(names.filter((name) => name.startsWith('decoder.up.4.attn.') && name.endsWith('.q.weight'))).toHaveLength(3);
  });

  it("is as large as the paper's", () => {
    const { encoder, decoder } = tokenizerParameters(settings, paper.imageSize);
    // Taming-transformers, f16: conv_in + levels + middle + out, counted by hand from the channel table.
    expect(countParameters(encoder)).toBe(encoderSize([128, 128, 256, 256, 512], 2, 256));
    expect(countParameters(decoder)).toBeGreaterThan(countParameters(encoder));
  });

  it('turns pictures into a grid and back', () => {
    const recipe = makeRecipe('nano');
    const specs = trainedParameters(recipe);
    const size = recipe.imageSize;
    const program = g.trace({ specs, x: g.f32(2, 3, size, size) }, ({ specs, x }) => {
      const z = encode(specs.encoder, x, recipe.tokenizer.normGroups);
      return { z, back: decode(specs.decoder, z, recipe.tokenizer.normGroups) };
    });
    expect(program.outputs.z!.shape).toEqual([2, recipe.tokenizer.latentChannels, 8, 8]);
    expect(program.outputs.back!.shape).toEqual([2, 3, size, size]);
  });
});

/**
 * Parameters of the encoder with attention at its last level and in the middle, written out from the description of the
 * net.
 */
function encoderSize(widths: readonly number[], blocks: number, latent: number): number {
  const conv = (from: number, to: number, kernel: number) => from * to * kernel * kernel + to;
  const norm = (width: number) => 2 * width;
  const residual = (from: number, to: number) =>
    norm(from) + conv(from, to, 3) + norm(to) + conv(to, to, 3) + (from === to ? 0 : conv(from, to, 1));
  const attention = (width: number) => norm(width) + 4 * conv(width, width, 1);
  const last = widths.at(-1)!;
  let total = conv(3, widths[0]!, 3) + 2 * residual(last, last) + attention(last) + norm(last) + conv(last, latent, 3);
  widths.forEach((width, i) => {
    total += residual(widths[i - 1] ?? widths[0]!, width) + (blocks - 1) * residual(width, width);
    total += i === widths.length - 1 ? blocks * attention(width) : conv(width, width, 3);
  });
  return total;
}

describe('planesOf', () => {
  it('takes the chosen pictures, channel by channel, in [-1, 1]', () => {
    const bytes = Uint8Array.from({ length: 3 * 12 }, (_, i) => 7 * i);
    const planes = planesOf(bytes, [2, 0], 2);
    expect(planes).toHaveLength(24);
    expect(planes[0]).toBeCloseTo((7 * 24) / 127.5 - 1, 6);
    expect(planes[12 + 4 + 3]).toBeCloseTo((7 * (3 * 3 + 1)) / 127.5 - 1, 6);
    expect([...planesOf(Uint8Array.of(0, 255, 0), [0], 1)]).toEqual([-1, 1, -1]);
  });
});
