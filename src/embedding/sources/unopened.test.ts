/** The width of a CLIP by its files, beside the width that it turns out to have. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { TINY_CLIP, writeTinyClip } from '../../../test/support/tiny-clip.ts';
import { UserError } from '../../base/errors.ts';
import { DEFAULT_CLIP } from './default-clip.ts';
import { SHIPPED } from './shipped.ts';
import { lookAtClip } from './unopened.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-unopened-'));
afterAll(() => fs.rmSync(root, { recursive: true }));

it('knows the width of a folder whose networks no one can load, and whether this program has trained it', () => {
  const folder = path.join(root, 'own');
  writeTinyClip(folder, 'clip', { keepWeights: true });
  for (const name of fs.readdirSync(path.join(folder, 'onnx'))) fs.writeFileSync(path.join(folder, 'onnx', name), '');
  expect(lookAtClip(folder)).toEqual({ dim: TINY_CLIP.dim, isCompact: true });
  fs.rmSync(path.join(folder, 'model.safetensors'));
  expect(lookAtClip(folder)).toEqual({ dim: TINY_CLIP.dim, isCompact: false });
  expect(lookAtClip(SHIPPED)).toEqual({ dim: 128, isCompact: true });
});

it('reads the width off whatever names it, and takes the usual one where nothing does', () => {
  const folder = path.join(root, 'other');
  writeTinyClip(folder, 'clip');
  const widthOf = (config: string) => {
    fs.writeFileSync(path.join(folder, 'config.json'), config);
    return lookAtClip(folder).dim;
  };
  expect(widthOf('{"projection_dim":768,"text_config":{"projection_dim":1,"hidden_size":2}}')).toBe(768);
  expect(widthOf('{"model_type":"siglip","text_config":{"hidden_size":1152}}')).toBe(1152);
  for (const config of ['{}', 'not JSON', '{"projection_dim":"wide"}', '{"projection_dim":-4}'])
    expect(widthOf(config), config).toBe(DEFAULT_CLIP.dim);
});

it('fetches nothing, and refuses a folder that is not there', () => {
  const options = { cacheDir: path.join(root, 'cache') };
  expect(lookAtClip('owner/name', options)).toEqual({ dim: DEFAULT_CLIP.dim, isCompact: false });
  expect(() => lookAtClip(path.join(root, 'nowhere'))).toThrow(UserError);
  expect(() => lookAtClip(path.join(root, 'nowhere'))).toThrow(/There is no CLIP in .*nowhere/);
});
