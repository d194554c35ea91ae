import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { runClipvq } from '../../test/support/cli.ts';
import { shareEngines } from '../../test/support/keeping-engine.ts';
import { tinyRecipe, tokenizerOf } from '../../test/support/tiny-model.ts';
import { unflatten } from '../base/tree.ts';
import { RunDirectory } from '../run/directory.ts';
import { pairedRows } from './reconstruct.ts';

shareEngines();
it('needs a trained tokenizer, and neither a diffusion model nor a CLIP', async () => {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-reconstruct-'));
  try {
    const settings = { seed: 0, data: 'faces', clip: path.join(folder, 'no-clip'), recipe: tinyRecipe };
    const run = RunDirectory.create(path.join(folder, 'run'), settings);
    const words = ['reconstruct', 'faces', '--model', 'run', '-n', '2', '--out', 'back.png', '--json'];
    const without = await runClipvq(folder, ...words);
    expect(without.status).toBe(2);
    expect(without.stderr).toMatch(/run holds no trained tokenizer: finish it with .*train .*--resume/);
    run.saveModel('tokenizer', unflatten(tokenizerOf(tinyRecipe)), {});
    const back = await runClipvq(folder, ...words);
    expect(back.status, back.stderr).toBe(0);
    expect(JSON.parse(back.stdout)).toMatchObject({ psnr: expect.any(Number), pictures: [{}, {}] });
    expect(fs.existsSync(path.join(folder, 'back.png'))).toBe(true);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

it('wraps a sheet after eight pictures, each row above its reconstructions', () => {
  const images = Array.from({ length: 19 }, (_, i) => ({ width: 1, height: 1, data: Uint8Array.of(i, 0, 0) }));
  const back = images.map(({ data, ...size }) => ({ ...size, data: Uint8Array.of(data[0]!, 1, 0) }));
  const rows = pairedRows(images, back, '20.0 dB');
  expect(rows.map((row) => row.images.map(({ data }) => [data[0], data[1]]))).toEqual(
    [
      [0, 8],
      [8, 16],
      [16, 19],
    ].flatMap(([from, to]) => [0, 1].map((side) => Array.from({ length: to! - from! }, (_, i) => [from! + i, side]))),
  );
  expect(rows[0]).toMatchObject({ label: 'pictures' });
  expect(rows[1]).toMatchObject({ label: 'reconstructions', note: '20.0 dB' });
});
