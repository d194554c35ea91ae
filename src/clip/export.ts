/**
 * The trained compact CLIP as a folder that @huggingface/transformers loads: configuration, tokenizer, and each tower
 * as ONNX.
 */

import fs from 'node:fs';
import path from 'node:path';
import { int32, type NDArray } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { assertFinite } from '../checkpoint/finite.ts';
import { writeSafetensors } from '../checkpoint/safetensors.ts';
import { sealed } from '../checkpoint/seal.ts';
import type { Bpe } from '../embedding/compact/bpe.ts';
import { CLIP_FORMAT, CLIP_WEIGHTS, jsonFiles, ROWS } from '../embedding/compact/compact-files.ts';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { fileError, systemCode } from '../files/file-errors.ts';
import * as g from '../graph/index.ts';
import type { ClipSettings } from '../recipe/schema.ts';
import { type ClipParameters, embedImages, embedTexts } from './towers.ts';

/** A compact CLIP at the end of its training. */
export type TrainedClip = {
  readonly settings: ClipSettings;
  readonly bpe: Bpe;
  /** The place of every token in the table of embeddings. */
  readonly rows: Int32Array;
  readonly params: ClipParameters<NDArray>;
};

/**
 * Write the folder, replacing what is there. It appears whole: it is built beside its place and then renamed. `texts`
 * become metadata of the weights.
 * @throws UserError when the disk refuses.
 */
export function exportClip(folder: string, clip: TrainedClip, texts: Readonly<Record<string, string>> = {}): void {
  for (const [name, array] of Object.entries(flatten<NDArray>(clip.params))) assertFinite(array, `${name} of the CLIP`);
  const building = `${path.resolve(folder)}.${process.pid}.tmp`;
  try {
    makeFolder(path.join(building, 'onnx'));
    for (const [name, content] of Object.entries(jsonFiles(clip.settings, clip.bpe)))
      writeFileAtomic(path.join(building, name), content);
    writeFileAtomic(path.join(building, 'onnx', 'vision_model.onnx'), visionModel(clip));
    writeFileAtomic(path.join(building, 'onnx', 'text_model.onnx'), textModel(clip));
    writeSafetensors(
      path.join(building, CLIP_WEIGHTS),
      { ...flatten<NDArray>(clip.params), [ROWS]: int32(clip.rows, [clip.rows.length]) },
      sealed({ format: CLIP_FORMAT, ...texts }),
    );
    fs.rmSync(folder, { recursive: true, force: true });
    fs.renameSync(building, folder);
  } catch (error) {
    fs.rmSync(building, { recursive: true, force: true });
    throw systemCode(error) === undefined ? error : fileError('write', folder, error);
  }
}

/** pixel_values [batch, 3, side, side] -> image_embeds [batch, dim] */
function visionModel({ settings: { imageSize }, params }: TrainedClip): Uint8Array {
  const inputs = { tower: params.image, pixel_values: g.f32(1, 3, imageSize, imageSize) };
  const program = g.trace(inputs, ({ tower, pixel_values }) => ({ image_embeds: embedImages(tower, pixel_values) }));
  return g.writeOnnx(program, { openBatch: true, weights: flatten<NDArray>({ tower: params.image }) });
}

/** input_ids [batch, context], int64 -> text_embeds [batch, dim] */
function textModel({ settings: { context }, params, rows }: TrainedClip): Uint8Array {
  const inputs = { tower: params.text, input_ids: g.i32(1, context) };
  const program = g.trace(inputs, ({ tower, input_ids }) => ({ text_embeds: embedTexts(tower, input_ids, rows) }));
  const weights = flatten<NDArray>({ tower: params.text });
  return g.writeOnnx(program, { openBatch: true, weights, int64Inputs: ['input_ids'] });
}
