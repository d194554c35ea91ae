/** Dual encoders of a few kilobytes in the hub's layout, with random weights. */

import fs from 'node:fs';
import path from 'node:path';
import { exportClip } from '../../src/clip/export.ts';
import { clipParameters, embedImages, embedTexts } from '../../src/clip/towers.ts';
import { trainBpe } from '../../src/embedding/compact/bpe.ts';
import * as g from '../../src/graph/index.ts';
import { initialize, literals } from '../../src/nn/parameters.ts';
import { makeRecipe } from '../../src/recipe/recipe.ts';

export const TINY_CLIP = {
  ...makeRecipe('nano').clip,
  ...{ dim: 12, imageSize: 16, imageChannels: 8, textWidth: 8, textHidden: 8, context: 16, vocabulary: 700 },
};

/**
 * `clip`: a network a side; `siglip`: the same under other names, and not of unit length; `joint`: one network for both
 * sides.
 */
export type TinyKind = 'clip' | 'siglip' | 'joint';

/**
 * Write the folder. All kinds embed alike. Weights beside the networks, with which tokens are known, are kept by
 * request.
 */
export function writeTinyClip(folder: string, kind: TinyKind, { keepWeights = false } = {}): void {
  const texts = ['a red hat', 'a blue shoe on the left', 'green trees and red flowers'];
  const bpe = trainBpe(texts, TINY_CLIP.vocabulary);
  const { rows, known } = bpe.rowsOf(texts);
  const params = initialize(clipParameters(TINY_CLIP, known), 1);
  exportClip(folder, { settings: TINY_CLIP, bpe, rows, params });
  if (!keepWeights) fs.rmSync(path.join(folder, 'model.safetensors'));
  if (kind === 'clip') return;

  const pixels = { pixel_values: g.f32(1, 3, TINY_CLIP.imageSize, TINY_CLIP.imageSize) };
  const ids = { input_ids: g.i32(1, TINY_CLIP.context) };
  const image = (x: g.Tensor) => embedImages(literals(params.image), x);
  const text = (x: g.Tensor) => embedTexts(literals(params.text), x, rows);
  const write = (name: string, program: g.Program) => {
    const int64Inputs = 'input_ids' in program.inputs ? ['input_ids'] : [];
    fs.writeFileSync(path.join(folder, 'onnx', name), g.writeOnnx(program, { openBatch: true, int64Inputs }));
  };
  if (kind === 'joint') {
    for (const name of ['text_model.onnx', 'vision_model.onnx']) fs.rmSync(path.join(folder, 'onnx', name));
    write(
      'model.onnx',
      g.trace({ ...pixels, ...ids }, ({ pixel_values, input_ids }) => ({
        image_embeds: image(pixel_values),
        text_embeds: text(input_ids),
      })),
    );
    return;
  }
  write(
    'vision_model.onnx',
    g.trace(pixels, ({ pixel_values }) => ({ pooler_output: g.mul(image(pixel_values), 3) })),
  );
  write(
    'text_model.onnx',
    g.trace(ids, ({ input_ids }) => ({ pooler_output: g.mul(text(input_ids), 5) })),
  );
  const config = path.join(folder, 'config.json');
  const { text_config, vision_config } = JSON.parse(fs.readFileSync(config, 'utf8'));
  const siglip = {
    model_type: 'siglip',
    text_config: { ...text_config, model_type: 'siglip_text_model' },
    vision_config: { ...vision_config, model_type: 'siglip_vision_model' },
  };
  fs.writeFileSync(config, JSON.stringify(siglip));
}
