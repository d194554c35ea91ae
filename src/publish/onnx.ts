/** A trained model as ONNX files, for any ONNX Runtime (docs/onnx.md). */

import fs from 'node:fs';
import path from 'node:path';
import type { NDArray } from '../base/ndarray.ts';
import { openDenoiser, transformerConfig } from '../diffusion/model.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import type { EmbeddingStatistics } from '../embedding/correction.ts';
import { hashClip, neededFiles } from '../embedding/sources/clip-files.ts';
import { resolveClip } from '../embedding/sources/clip-source.ts';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { assertFreeFolder, makeWholeFolder } from '../files/new-folder.ts';
import { type Program, writeOnnx } from '../graph/index.ts';
import { adopt } from '../nn/parameters.ts';
import { gridSize } from '../recipe/schema.ts';
import type { RunDirectory } from '../run/directory.ts';
import { checkMadeFrom } from '../run/lineage.ts';
import { readStatistics } from '../run/statistics.ts';
import { openCodec } from '../vqgan/codec.ts';
import { contextOf } from './text-context.ts';

export interface ExportedOnnx {
  readonly folder: string;
  readonly files: readonly string[];
  readonly bytes: number;
}

/**
 * Write `encoder.onnx`, `decoder.onnx` and `denoiser.onnx`, each for any batch (the axis `batch`), the towers of the
 * CLIP under `clip/`, and `model.json` with the numbers that sampling needs.
 * @throws UserError if the run is not trained, its files do not belong together, the folder is not empty, or the disk
 * refuses.
 */
export async function exportOnnx(
  run: RunDirectory,
  folder: string,
  { clip }: { readonly clip?: string | undefined } = {},
): Promise<ExportedOnnx> {
  assertFreeFolder(folder, 'the ONNX files');
  const { recipe, clip: own } = run.settings;
  const stage = run.denoiserStage;
  const [tokenizer, denoiser] = [run.readModel('tokenizer').tensors, run.readModel(stage).tensors];
  const source = await resolveClip(clip ?? (own === 'compact' ? run.clipFolder : own));
  checkMadeFrom(run, stage, hashClip(source));

  const dim = denoiser.empty_text_embed?.shape.at(-1) ?? 1;
  const config = transformerConfig(recipe, dim);
  const model = adopt(diffusionParameters(config), denoiser, run.file(stage, 'model.safetensors'));
  const codec = openCodec(tokenizer, recipe, run.file('tokenizer', 'model.safetensors'));
  const programs = { ...codec, denoiser: openDenoiser(config, model) };
  const facts = factsOf(run, model.empty_text_embed, contextOf(source.folder));

  const written: string[] = [];
  await makeWholeFolder(folder, (building) => {
    const write = (name: string, content: string | Uint8Array) => {
      makeFolder(path.dirname(path.join(building, name)));
      writeFileAtomic(path.join(building, name), content);
      written.push(name);
    };
    for (const [name, program] of Object.entries(programs)) write(`${name}.onnx`, openModel(program));
    for (const name of neededFiles(source)) write(`clip/${name}`, fs.readFileSync(path.join(source.folder, name)));
    write('model.json', `${JSON.stringify(facts, null, 1)}\n`);
  });
  const bytes = written.reduce((sum, name) => sum + fs.statSync(path.join(folder, name)).size, 0);
  return { folder, files: written, bytes };
}

const openModel = (program: Program): Uint8Array => writeOnnx(program, { openBatch: true });

/** What a program that samples must know besides the networks. */
function factsOf(run: RunDirectory, nothing: NDArray<'float32'>, context: number | undefined): object {
  const { recipe } = run.settings;
  const { sampling, diffusion, tokenizer, imageSize } = recipe;
  const dim = nothing.data.length;
  const length = sampling.nullEmbedding === 'raw' ? 1 : Math.hypot(...nothing.data);
  const { correction } = sampling;
  return {
    format: 'clip-vqdiffusion onnx',
    version: 1,
    hash: run.modelHash(),
    imageSize,
    /** Codes a picture, in rows; the mask is code number `codes`. */
    tokens: gridSize(recipe) ** 2,
    codes: tokenizer.codes,
    timesteps: diffusion.timesteps,
    dim,
    context,
    promptPrefix: sampling.promptPrefix,
    steps: sampling.steps,
    guidanceScale: sampling.guidanceScale,
    correction,
    ...affine(correction === 'none' ? undefined : readStatistics(run, correction, dim), correction, dim),
    nullCondition: Array.from(nothing.data, (x) => x / length),
  };
}

/**
 * Corrections of prompts as `scale` · t + `offset`, before they are made unit rows again; `shrink` and
 * `neighbour` without their pull.
 */
function affine(statistics: EmbeddingStatistics | undefined, correction: string, dim: number) {
  const each = (of: (d: number) => number) => Array.from({ length: dim }, (_, d) => of(d));
  if (!statistics) return { scale: each(() => 1), offset: each(() => 0) };
  const { images, texts } = statistics;
  const scale = each((d) =>
    correction === 'standardised' ? images.deviation[d]! / Math.max(texts.deviation[d]!, 1e-6) : 1,
  );
  return { scale, offset: each((d) => images.mean[d]! - scale[d]! * texts.mean[d]!) };
}
