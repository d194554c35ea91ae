/// <reference types="node" preserve="true" />
/**
 * The public door: everything that programs may use, and nothing else. What is not exported here may change at any
 * time. docs/api.md has a runnable example of each.
 */

export { Interrupted, UserError } from './base/errors.ts';
export type { Estimate, StageEstimate } from './bench/estimate.ts';
export { estimate, type ForecastOptions } from './bench/forecast.ts';
export type { Preparation } from './bench/preparation.ts';
export type { ClipReport } from './clip/report.ts';
export type { Recall, Retrieval } from './clip/retrieval.ts';
export { type OpenDataOptions, openData, type PictureData } from './data/open.ts';
export type { Crop, Rectangle } from './data/pictures/crop.ts';
export type { SquareOptions } from './data/pictures/decode.ts';
export { readImage, save } from './data/pictures/files.ts';
export type { RgbImage } from './data/pictures/image.ts';
export type { Rejected } from './data/sources/containers/container.ts';
export type { Schedule } from './diffusion/process/schedule.ts';
export type { SamplerName } from './diffusion/samplers/index.ts';
export type { Denoiser, Sampler, SamplerOptions, SamplerProgress } from './diffusion/samplers/sampler.ts';
export type { Knowledge } from './embedding/compact/knowledge.ts';
export type { ClipEmbedder } from './embedding/embedder.ts';
export type { Device } from './engine/executor.ts';
export type { EngineOptions } from './engine/protocol.ts';
export {
  type BetweenCondition,
  type Condition,
  type Drawn,
  type Edit,
  type EmbeddingCondition,
  type Frame,
  type GeneratedImage,
  type GenerateOptions,
  Generator,
  type InterpolateOptions,
  type LoadOptions,
  type LoadProgress,
  type MixCondition,
  type Passes,
  type PictureCondition,
  type SamplingChoice,
  type SamplingOptions,
  type StartPicture,
  type StreamFrame,
  type StreamOptions,
  type UsualScore,
} from './generation/generator.ts';
export { makeRecipe, type RecipeChanges } from './recipe/recipe.ts';
export type { Recipe, SamplingSettings } from './recipe/schema.ts';
export type { Progress, RankShares } from './stage/display.ts';
export type { Metrics } from './stage/stage.ts';
export type { StageName } from './training/stages.ts';
export {
  type SettingValue,
  type TrainingOptions,
  type TrainingProgress,
  type TrainingResult,
  train,
} from './training/train.ts';
