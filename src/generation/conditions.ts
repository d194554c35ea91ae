/** What pictures are drawn for: a text, a picture, an embedding, a weighted mix of them, or a place between two. */

import { UserError } from '../base/errors.ts';
import { unitRows32 } from '../base/rows.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { shown } from './shown.ts';

/** A picture of any size: what the CLIP sees in it. */
export interface PictureCondition {
  readonly picture: RgbImage;
  readonly name?: string | undefined;
}

/** An embedding of the model's CLIP, of any length above 0, [dim]: used as it is, without a correction of texts. */
export interface EmbeddingCondition {
  readonly embedding: Float32Array;
  readonly name?: string | undefined;
}

/** The weighted mean of conditions, made as long as one. */
export interface MixCondition {
  readonly mix: readonly { readonly of: Condition; readonly weight: number }[];
}

/** A place on the arc from one condition to another: 0 is the first, 1 the second. */
export interface BetweenCondition {
  readonly between: readonly [from: Condition, to: Condition];
  readonly at: number;
}

/** What a picture is drawn for. Conditions hold each other up to 8 deep. */
export type Condition = string | PictureCondition | EmbeddingCondition | MixCondition | BetweenCondition;

/** A condition that holds no other. */
export type PlainCondition = string | PictureCondition | EmbeddingCondition;

/** How deep conditions may hold each other. */
const DEEPEST = 8;

/**
 * Check a condition, and those that it holds.
 * @param what names the condition in messages, such as `Prompt 1`.
 * @throws UserError if it is none, is empty, has a weight that is not above 0, or a place that is not in [0, 1].
 */
export function checkCondition(condition: Condition, what: string, depth = 0): void {
  if (depth > DEEPEST) throw new UserError(`${what} is nested more than ${DEEPEST} deep: write the mix out`);
  if (typeof condition === 'string') {
    if (condition.trim() === '') throw new UserError(`${what} is empty: say what to make`);
  } else if (!isObject(condition)) {
    throw new UserError(`${what} is ${shown(condition)}: give a text, a picture, an embedding or a mix`);
  } else if ('picture' in condition) {
    checkPicture(condition.picture, what);
  } else if ('embedding' in condition) {
    const { embedding } = condition;
    if (!(embedding instanceof Float32Array))
      throw new UserError(`The embedding of ${what} is ${shown(embedding)}: give a Float32Array`);
    const length = Math.hypot(...embedding);
    if (!(length > 0 && length < Infinity))
      throw new UserError(`The embedding of ${what} has the length ${length}: give finite numbers that are not all 0`);
  } else if ('mix' in condition) {
    if (!Array.isArray(condition.mix) || condition.mix.length === 0)
      throw new UserError(`The mix of ${what} is empty: give at least one condition with its weight`);
    for (const { of, weight } of condition.mix) {
      if (!(typeof weight === 'number' && weight > 0 && weight < Infinity))
        throw new UserError(`${what} has the weight ${shown(weight)}: weights are numbers above 0`);
      checkCondition(of, what, depth + 1);
    }
  } else if ('between' in condition) {
    const { between, at } = condition;
    if (!Array.isArray(between) || between.length !== 2)
      throw new UserError(`${what} lies between ${shown(between)}: give two conditions`);
    if (!(typeof at === 'number' && at >= 0 && at <= 1))
      throw new UserError(`${what} lies at ${shown(at)}: give a number from 0, the first condition, to 1, the second`);
    for (const end of between) checkCondition(end, what, depth + 1);
  } else {
    throw new UserError(`${what} is an object without picture, embedding, mix or between: give one of these`);
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function checkPicture(picture: RgbImage, what: string): void {
  const { width, height, data } = isObject(picture) ? picture : { width: 0, height: 0, data: undefined };
  if (!(data instanceof Uint8Array) || !(width > 0 && height > 0) || data.length !== 3 * width * height)
    throw new UserError(`The picture of ${what} is no { width, height, data } with red, green and blue of every pixel`);
}

/** A condition in words. */
export function nameOf(condition: Condition): string {
  if (typeof condition === 'string') return condition;
  if ('picture' in condition) return condition.name ?? 'a picture';
  if ('embedding' in condition) return condition.name ?? 'an embedding';
  if ('mix' in condition) return condition.mix.map(({ of, weight }) => `${weight} ${nameOf(of)}`).join(' + ');
  const [from, to] = condition.between;
  return `${nameOf(from)} -> ${nameOf(to)} ${Number(condition.at.toFixed(3))}`;
}

/** The texts, pictures and embeddings that a condition is made of. */
export function plainConditions(condition: Condition): readonly PlainCondition[] {
  if (typeof condition === 'string' || 'picture' in condition || 'embedding' in condition) return [condition];
  if ('mix' in condition) return condition.mix.flatMap(({ of }) => plainConditions(of));
  return condition.between.flatMap(plainConditions);
}

/**
 * A condition as a unit vector, [dim], from those of its parts.
 * @throws UserError if parts cancel each other out.
 */
export function vectorOf(condition: Condition, plain: (part: PlainCondition) => Float32Array): Float32Array {
  if (typeof condition === 'string' || 'picture' in condition || 'embedding' in condition) return plain(condition);
  if ('mix' in condition) {
    const [first, ...others] = condition.mix;
    if (first && others.length === 0) return vectorOf(first.of, plain);
    return weightedMean(
      condition.mix.map(({ of }) => vectorOf(of, plain)),
      condition.mix.map(({ weight }) => weight),
    );
  }
  const [from, to] = condition.between;
  return slerp(vectorOf(from, plain), vectorOf(to, plain), condition.at);
}

/** A vector made as long as one. */
export const unit = (vector: Float32Array | Float64Array): Float32Array => unitRows32(vector, vector.length);

/** Sums shorter than this share of their parts are what rounding has left. */
const NOTHING = 1e-6;

/** @throws UserError if nothing is left of the vectors. */
function weightedMean(vectors: readonly Float32Array[], weights: readonly number[]): Float32Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const sum = new Float64Array(vectors[0]!.length);
  for (const [i, vector] of vectors.entries())
    for (const [d, x] of vector.entries()) sum[d]! += (weights[i]! / total) * x;
  if (!(Math.hypot(...sum) > NOTHING))
    throw new UserError('The conditions of a mix cancel each other out: change their weights');
  return unit(sum);
}

/**
 * The unit vector at the share `at` of the arc from one unit vector to another (spherical interpolation).
 * @throws UserError for opposite vectors, between which every arc is as short.
 */
export function slerp(from: Float32Array, to: Float32Array, at: number): Float32Array {
  if (at === 0) return from;
  if (at === 1) return to;
  const cosine = from.reduce((sum, x, d) => sum + x * to[d]!, 0);
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (Math.PI - angle < NOTHING)
    throw new UserError('The two conditions are opposites: no way leads from one to the other');
  const [own, other] = angle < NOTHING ? [1 - at, at] : [Math.sin((1 - at) * angle), Math.sin(at * angle)];
  return unit(Float64Array.from(from, (x, d) => own * x + other * to[d]!));
}
