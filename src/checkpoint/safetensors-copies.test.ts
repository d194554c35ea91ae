import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { float32, int32 } from '../base/ndarray.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';
import { copyAsFloat16 } from './safetensors-copies.ts';
import { sealed } from './seal.ts';

const folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-float16-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);

it('rounds what fits, leaves the rest, and makes the checksum anew', async () => {
  const tensors = {
    // 1 + 2^-9 lies between two numbers of 8 fraction bits: the even one is 1.
    a: float32([1, -2.5, 0.1, 1 + 2 ** -9, 2 ** -22, 65504], [2, 3]),
    large: float32([1, 65600], [2]),
    odd: float32([3], [1]),
    rows: int32([7, 8, 9], [3]),
  };
  writeSafetensors(at('whole'), tensors, sealed({ format: 'x' }));
  await copyAsFloat16(at('whole'), at('half'));
  const read = readSafetensors(at('half'));
  expect(read.tensors).toEqual({
    ...tensors,
    a: float32([1, -2.5, 0.10009765625, 1, 2 ** -22, 65408], [2, 3]),
  });
  expect(read.metadata.format).toBe('x');
  const [whole, half] = ['whole', 'half'].map((name) => fs.readFileSync(at(name)));
  expect(half!.length).toBeLessThan(whole!.length);
  half![half!.length - 1]! ^= 1;
  fs.writeFileSync(at('damaged'), half!);
  expect(() => readSafetensors(at('damaged'))).toThrow(/checksum does not belong to its bytes/);
});

it('copied once more is the same file, to the byte', async () => {
  await copyAsFloat16(at('half'), at('again'));
  expect(fs.readFileSync(at('again')).equals(fs.readFileSync(at('half')))).toBe(true);
});

it('refuses a file that is none, and leaves nothing behind', async () => {
  fs.writeFileSync(at('foreign'), 'weights');
  await expect(copyAsFloat16(at('foreign'), at('new'))).rejects.toBeInstanceOf(UserError);
  expect(fs.existsSync(at('new'))).toBe(false);
});
