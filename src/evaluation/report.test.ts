/** The report of a model: what is counted, and that its page needs nothing else and lets nothing in. */

import { expect, it } from 'vitest';
import { unitRows32 } from '../base/rows.ts';
import { finish } from '../base/steps.ts';
import { psnr, type RgbImage } from '../data/pictures/image.ts';
import { integers, normals } from '../random/noise.ts';
import { frechetDistance, kernelInterval } from './feature-distance.ts';
import {
  copyReport,
  promptReport,
  type Report,
  reconstructionReport,
  type SetFeatures,
  setCost,
  setReport,
} from './report.ts';
import { reportHtml, reportLines } from './report-html.ts';
import { ssim } from './ssim.ts';

const picture = (seed: number): RgbImage => ({
  width: 16,
  height: 16,
  data: Uint8Array.from(integers({ seed, stream: 'report', step: 0 }, 0, 768, 200)),
});
const brighter = (image: RgbImage): RgbImage => ({ ...image, data: image.data.map((x) => x + 3) });

const DIM = 4;
/** Unit vectors of noise, a fixed one for each picture or text. */
const unitRows = (count: number, sample: number) =>
  unitRows32(normals({ seed: 2, stream: 'report', step: 1 }, sample, count * DIM), DIM);
const embedder = (sample: number) => ({
  dim: DIM,
  id: 'x',
  embedImages: async (images: readonly RgbImage[]) => unitRows(images.length, sample),
  embedTexts: async (texts: readonly string[]) => unitRows(texts.length, sample + 1),
});
const cosine = (a: Float32Array, i: number, b: Float32Array, j: number) =>
  Array.from({ length: DIM }, (_, k) => a[i * DIM + k]! * b[j * DIM + k]!).reduce((x, y) => x + y, 0);

const images = Array.from({ length: 70 }, (_, i) => picture(i));
const made = [0, 1, 2, 3].map((i) => ({
  image: picture(i),
  prompt: i < 2 ? 'a <b>' : 'c',
  clipScore: 0.3 + i / 10,
  meanClipScore: 0.2,
}));

const setOf = (made: Float32Array, real: Float32Array, dim: number, more: Partial<SetFeatures> = {}) =>
  finish(setReport({ name: 'a CLIP', dim, made, real, others: undefined, ...more }));

let whole: Promise<Report> | undefined;
const wholeReport = (): Promise<Report> => (whole ??= makeReport());

async function makeReport(): Promise<Report> {
  const codec = {
    encode: async (part: readonly RgbImage[]) => Int32Array.from(part.flatMap(() => [0, 1, 2, 2])),
    decode: async (codes: Int32Array) => images.slice(0, codes.length / 4).map(brighter),
  };
  const [features, real] = [unitRows(12, 7), unitRows(15, 8)];
  const clip = embedder(0);
  return {
    model: 'runs/<mine> & "yours"',
    clip: 'own/clip',
    reconstruction: (await reconstructionReport(codec, images.slice(0, 20), 8)).report,
    prompts: await promptReport(made, [0, 0, 1, 1], ['a <b>', 'c'], {
      clip,
      features: await clip.embedImages(made.map(({ image }) => image)),
      bestOf: 4,
      independent: {
        name: 'other/clip',
        clip: embedder(3),
        features: unitRows(4, 3),
        firsts: unitRows(4, 5),
      },
    }),
    sets: [setOf(features, real, DIM, { others: unitRows(9, 12) })!],
    copies: await copyReport(real.slice(0, 10 * DIM), features, real, DIM),
  };
}

it('reconstruction is measured picture by picture, in batches, with the use of the codes', async () => {
  const calls: number[] = [];
  const codec = {
    encode: async (part: readonly RgbImage[]) => {
      calls.push(part.length);
      return Int32Array.from(part.flatMap(() => [5, 5, 5, 7]));
    },
    decode: async (codes: Int32Array) => {
      const start = calls.slice(0, -1).reduce((a, b) => a + b, 0);
      return images.slice(start, start + codes.length / 4).map(brighter);
    },
  };
  const lpips = { net: 'alex', distances: async () => images.map((_, i) => i) };
  const { report, back } = await reconstructionReport(codec, images, 16, lpips);
  expect([report.pictures, back.length, calls]).toEqual([70, 70, [64, 6]]);
  expect(report.psnr.value).toBeCloseTo(psnr(images[0]!, brighter(images[0]!)), 9);
  const similar = images.map((image) => ssim(image, brighter(image))).reduce((a, b) => a + b, 0) / 70;
  expect(report.ssim.value).toBeCloseTo(similar, 12);
  expect(report.ssim.samples).toBe(70);
  expect(report.lpips).toMatchObject({ net: 'alex', distance: { value: 34.5, samples: 70 } });
  expect(report.perplexity).toBeCloseTo(Math.exp(-0.75 * Math.log(0.75) - 0.25 * Math.log(0.25)), 9);
  expect(report.usage).toBe(2 / 16);
});

it('the score of prompts is given with and without the choice, and by another CLIP', async () => {
  const { prompts } = await wholeReport();
  expect(prompts).toMatchObject({ prompts: 2, bestOf: 4 });
  expect(prompts!.chosen.value).toBeCloseTo(0.45, 12);
  expect(prompts!.unchosen.value).toBeCloseTo(0.2, 12);
  const [own, texts] = [unitRows(4, 3), unitRows(2, 4)];
  const expected = [0, 0, 1, 1].map((prompt, i) => cosine(own, i, texts, prompt)).reduce((a, b) => a + b, 0) / 4;
  expect(prompts!.independent!.score.value).toBeCloseTo(expected, 6);
  const firsts = [0, 0, 1, 1].map((prompt, i) => cosine(unitRows(4, 5), i, texts, prompt)).reduce((a, b) => a + b, 0);
  expect(prompts!.independent!.unchosen.value).toBeCloseTo(firsts / 4, 6);
});

it('distances of sets are those of their functions, beside those of real pictures, with a caution where pictures are few', async () => {
  const [set] = (await wholeReport()).sets;
  const [features, real] = [unitRows(12, 7), unitRows(15, 8)];
  expect(set!.frechet.value).toBeCloseTo(finish(frechetDistance(features, real, DIM)), 9);
  expect(set!.kernel.value).toBe(finish(kernelInterval(features, real, DIM)).value);
  expect(set!.frechet.low).toBeLessThan(set!.frechet.value);
  expect([set!.made, set!.real, set!.caution]).toEqual([12, 15, undefined]);
  expect(set!.floor!.pictures).toBe(9);
  expect(set!.floor!.kernel.value).toBe(finish(kernelInterval(unitRows(9, 12), real, DIM)).value);
  expect(setOf(unitRows(7, 1), real, DIM)).toBeUndefined();
  expect(setOf(features, real, DIM, { others: unitRows(7, 1) })!.floor).toBeUndefined();
  expect(setOf(real.slice(0, 48), real.slice(0, 48), 6)!.caution).toBeUndefined();
  expect(setOf(unitRows(20, 1), unitRows(20, 2), 10)!.caution).toMatch(/8 pictures for 10/);
});

it('copies are found, named with their pictures, the nearest first', async () => {
  const { copies } = await wholeReport();
  expect(copies!.z).toBeLessThan(-3);
  expect(copies!.nearest).toHaveLength(8);
  for (const { made: one, training, distance } of copies!.nearest)
    expect([one === training, distance]).toEqual([true, 0]);
});

it('the page holds its pictures, asks the network for nothing, and lets no markup in', async () => {
  const report = await wholeReport();
  const html = reportHtml(report, [{ title: 'A <sheet>', text: 'x', png: Uint8Array.of(1, 2, 3) }]);
  expect(html).toContain('data:image/png;base64,AQID');
  expect(html).not.toMatch(/https?:|<script|<link|<mine>|<sheet>|"yours"/);
  expect(html).toContain('runs/&lt;mine&gt; &amp; &quot;yours&quot;');
  for (const name of [
    'PSNR',
    'SSIM',
    'Fréchet',
    'KID',
    'MIND',
    'precision',
    'coverage',
    'worst cell',
    'Fréchet distance, real',
    'C_T',
    'other/clip',
    'no choice',
    'The CLIP that conditions: own/clip; other/clip scores them, too',
    'best of 4',
    'In the features of a CLIP',
  ])
    expect(html, name).toContain(name);
  const lines = reportLines(report);
  expect(lines.find((line) => line.startsWith('CLIP score '))).toMatch(/0\.4500 \(0\.\d{4} to 0\.\d{4}\) +4$/);
  expect(html).not.toContain('flatters');
  expect(reportHtml({ ...report, prompts: { ...report.prompts!, independent: undefined } }, [])).toContain('flatters');
  const short = reportHtml({ ...report, prompts: undefined, sets: [], copies: undefined }, []);
  expect(short).not.toMatch(/Prompts|Against real pictures|Copies/);
});

it('the costs of the steps of a set add up to about its expected cost, by which progress is shown', () => {
  const dim = 16;
  const rows = (count: number, sample: number) =>
    unitRows32(normals({ seed: 2, stream: 'report', step: 2 }, sample, count * dim), dim);
  const set = { name: 'a CLIP', dim, made: rows(40, 0), real: rows(60, 1), others: rows(30, 2) };
  let cost = 0;
  for (const step of setReport(set)) cost += step;
  expect(cost / setCost(set)).toBeCloseTo(1, 1);
});
