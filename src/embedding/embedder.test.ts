import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { readSafetensors } from '../checkpoint/safetensors.ts';
import { type CaptionedPictures, planes, tokenIds } from '../clip/batches.ts';
import { reportClip } from '../clip/report.ts';
import { clipStage } from '../clip/stage.ts';
import { clipParameters, embedImages, embedTexts } from '../clip/towers.ts';
import { Engine } from '../engine/engine.ts';
import * as g from '../graph/index.ts';
import { adopt } from '../nn/parameters.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import type { Stage } from '../stage/stage.ts';
import { trainBpe } from './compact/bpe.ts';
import { ROWS } from './compact/compact-files.ts';
import { type ClipEmbedder, imageViews, openEmbedder } from './embedder.ts';

const colors = {
  red: [230, 30, 20],
  green: [20, 200, 40],
  blue: [30, 40, 220],
  white: [250, 250, 250],
  black: [5, 5, 5],
};
const names = Object.keys(colors) as (keyof typeof colors)[];

/** Pictures of two colours, one above the other, with captions that say so. */
function flags(size: number, side: number): CaptionedPictures {
  const halves = (i: number) => [names[i % 5]!, names[Math.floor(i / 5) % 5]!] as const;
  const images = Uint8Array.from({ length: size * side * side * 3 }, (_, at) => {
    const [i, pixel] = [Math.floor(at / (3 * side * side)), Math.floor(at / 3) % (side * side)];
    return colors[halves(i)[pixel < (side * side) / 2 ? 0 : 1]][at % 3]!;
  });
  const wordings = ['a % top, a & bottom', '% above and & below', 'the top is %, the bottom is &'];
  const caption = (i: number, wording: number) =>
    wordings[(i + wording) % 3]!.replace('%', halves(i)[0]).replace('&', halves(i)[1]);
  return { images, size, side, caption };
}

const settings = {
  ...makeRecipe('nano').clip,
  ...{ dim: 16, imageSize: 16, imageChannels: 8, textWidth: 16, textHidden: 16, context: 12, vocabulary: 700 },
  ...{ steps: 40, batch: 25, captions: 2, warmupSteps: 3, learningRate: 1e-2 },
};
const pairs = flags(200, settings.imageSize);
const folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-clip-'));
const model = path.join(folder, 'clip');
const engine = Engine.start({ threads: 1 });
const losses: number[] = [];
let stage: Stage;
let clip: ClipEmbedder;

beforeAll(async () => {
  stage = clipStage({ engine, settings, seed: 1, pairs, fingerprint: '', folder: model });
  await stage.prepare();
  for (let step = 0; step < stage.steps; step++) losses.push((await stage.run(step)).loss);
  await stage.export();
  clip = await openEmbedder(model, { threads: 1 });
});
afterAll(async () => {
  await Promise.all([engine.close(), clip.close()]);
  fs.rmSync(folder, { recursive: true });
});

/** Largest difference of two arrays of one length. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!)), 0);
}

const views = imageViews(pairs.images, settings.imageSize);

describe('the stage', () => {
  it('learns to find the texts of pictures', async () => {
    expect(losses[0]).toBeGreaterThan(2.5);
    expect(losses.at(-1)).toBeLessThan(1.6);
    const { heldOut, retrieval, zeroShot } = await reportClip(clip, pairs);
    const { among, imageToText, textToImage } = retrieval;
    // 75 captions for 25 flags, in 100 pairs: guessing finds one in 75, knowing the flag one in three.
    expect([heldOut, among]).toEqual([100, 100]);
    expect(Math.min(imageToText.at1, textToImage.at1)).toBeGreaterThan(0.1);
    expect(imageToText.at10).toBeGreaterThan(imageToText.at1);
    expect(zeroShot).toBeUndefined();
  });

  it('is asked for classes where few captions recur, and reads long ones to the end of its context', async () => {
    const long = ', and so on without an end'.repeat(9);
    const classes = { ...pairs, caption: (i: number) => `${pairs.caption(i % 5, 0)}${long}` };
    const { zeroShot, retrieval } = await reportClip(clip, classes);
    expect(zeroShot?.classes).toBe(5);
    expect(zeroShot?.accuracy).toBeGreaterThanOrEqual(0);
    expect(retrieval.textToImage.at1).toBeLessThanOrEqual(1);
  });

  it('repeats itself from the same seed', async () => {
    await engine.drop('');
    const again = clipStage({ engine, settings, seed: 1, pairs, fingerprint: '', folder: model });
    await again.prepare();
    for (const step of [0, 1, 2]) expect((await again.run(step)).loss).toBe(losses[step]);
  });

  it('refuses fewer pairs than it needs', () => {
    const few = { engine, settings, seed: 1, pairs: flags(20, 16), fingerprint: '', folder: model };
    expect(() => clipStage(few)).toThrow(/^20 captioned pictures are too few: 2 are held out and a batch needs 25/);
  });
});

describe('the exported folder', () => {
  it('embeds as the graph that was trained', async () => {
    const bpe = trainBpe(
      Array.from({ length: 100 }, (_, i) => pairs.caption(i, 0)),
      settings.vocabulary,
    );
    const { [ROWS]: table, ...tensors } = readSafetensors(path.join(model, 'model.safetensors')).tensors;
    const rows = Int32Array.from(table!.data);
    const params = adopt(clipParameters(settings, Math.max(...rows)), tensors, 'model.safetensors');
    const chosen = [3, 50, 7];
    const texts = [pairs.caption(3, 2), 'red', 'a 虎 above, red below'];
    const inputs = { params, images: g.f32(3, 3, 16, 16), ids: g.i32(3, settings.context) };
    const program = await engine.compile(
      g.trace(inputs, (t) => ({
        images: embedImages(t.params.image, t.images),
        texts: embedTexts(t.params.text, t.ids, rows),
      })),
    );
    const ours = await program.run({
      params,
      images: planes(pairs, chosen),
      ids: tokenIds(texts, bpe, settings.context),
    });
    expect(distance(await clip.embedImages(chosen.map((row) => views[row]!)), ours.images!.data)).toBeLessThan(1e-4);
    expect(distance(await clip.embedTexts(texts), ours.texts!.data)).toBeLessThan(1e-4);
  });

  it('says what it is', () => {
    expect(clip).toMatchObject({ dim: settings.dim, contextLength: settings.context });
    expect(clip.id).toMatch(/^[0-9a-f]{16}$/);
  });

  it('is replaced whole, with nothing left beside it', async () => {
    fs.writeFileSync(path.join(model, 'stale.txt'), '');
    await stage.export();
    expect(fs.readdirSync(folder)).toEqual(['clip']);
    expect(fs.existsSync(path.join(model, 'stale.txt'))).toBe(false);
  });
});

describe('the embedder', () => {
  it('gives each input its own unit vector, whatever stands beside it and however many there are', async () => {
    const texts = Array.from({ length: 70 }, (_, i) => pairs.caption(i, i));
    const all = await clip.embedTexts(texts);
    const images = await clip.embedImages(views.slice(0, 70));
    expect([all.length, images.length]).toEqual([70 * 16, 70 * 16]);
    expect(distance(await clip.embedTexts([texts[69]!]), all.slice(69 * 16))).toBeLessThan(1e-6);
    expect(distance(await clip.embedImages([views[69]!]), images.slice(69 * 16))).toBeLessThan(1e-6);
    for (const rows of [all, images]) expect(Math.hypot(...rows.slice(16, 32))).toBeCloseTo(1, 5);
    expect(await clip.embedTexts([])).toEqual(new Float32Array(0));
  });

  it('scales pictures of other sizes', async () => {
    const large = flags(10, 64);
    const [scaled, small] = [
      await clip.embedImages(imageViews(large.images, 64)),
      await clip.embedImages(views.slice(0, 10)),
    ];
    expect(distance(scaled, small)).toBeLessThan(0.1);
  });

  it('names the prompt that is empty or too long, and both lengths', async () => {
    const long = 'red '.repeat(20);
    await expect(clip.embedTexts(['red', ' \n'])).rejects.toThrow(/The prompt is empty/);
    const refused = clip.embedTexts(['red', long]);
    await expect(refused).rejects.toBeInstanceOf(UserError);
    await expect(refused).rejects.toThrow(/"red red .*" is 22 tokens long .* at most 12/);
    // Ten words, a start and an end are as much as it reads.
    expect(await clip.embedTexts(['red '.repeat(10)])).toHaveLength(16);
  });

  it('answers what is under way before it closes', async () => {
    const other = await openEmbedder(model, { threads: 1 });
    const answers = [other.embedTexts(['red above']), other.embedImages(views.slice(0, 3))];
    await other.close();
    expect((await Promise.all(answers)).map((rows) => rows.length)).toEqual([16, 48]);
    await expect(other.embedTexts(['red'])).rejects.toThrow(/closed/);
  });

  it('leaves the event loop of its caller free', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    await clip.embedImages(Array.from({ length: 4000 }, (_, i) => views[i % 200]!));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
  });
});

describe('what is not a CLIP', () => {
  const broken = (change: (copy: string) => void): string => {
    const copy = fs.mkdtempSync(path.join(folder, 'broken-'));
    fs.cpSync(model, copy, { recursive: true });
    change(copy);
    return copy;
  };

  it.each([
    ['a missing folder', () => path.join(folder, 'absent'), /There is no CLIP in .*absent: give a folder/],
    [
      'a folder without a tokenizer',
      () => broken((copy) => fs.rmSync(path.join(copy, 'tokenizer.json'))),
      /it lacks tokenizer\.json/,
    ],
    [
      'a damaged tower',
      () => broken((copy) => fs.truncateSync(path.join(copy, 'onnx/text_model.onnx'), 999)),
      /cannot load the CLIP/,
    ],
    [
      'a damaged configuration',
      () => broken((copy) => fs.writeFileSync(path.join(copy, 'config.json'), '{')),
      /cannot load the CLIP/,
    ],
  ])('%s is refused in one line', async (_, make, message) => {
    const refused = openEmbedder(make());
    await expect(refused).rejects.toBeInstanceOf(UserError);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toThrow(/^[^\n]*$/);
  });

  it('differs in identity as soon as a file differs', async () => {
    const other = await openEmbedder(broken((copy) => fs.appendFileSync(path.join(copy, 'config.json'), '\n')));
    expect(other.id).not.toBe(clip.id);
    await other.close();
  });
});
