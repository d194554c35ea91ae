import { expect, it } from 'vitest';
import { correctTexts, type EmbeddingStatistics, momentsOf, towardsNeighbour } from './correction.ts';

const DIM = 3;
const unit = (...x: number[]): number[] => x.map((value) => value / Math.hypot(...x));
const images = Float32Array.from([unit(1, 0.2, 0), unit(1, -0.2, 0), unit(1, 0, 0.4), unit(1, 0, -0.4)].flat());
const texts = Float32Array.from([unit(0, 0.2, 1), unit(0, -0.2, 1)].flat());
const statistics: EmbeddingStatistics = {
  images: momentsOf(images, DIM),
  texts: momentsOf(texts, DIM),
  anchors: images,
};
const lengths = (rows: Float32Array) =>
  Array.from({ length: rows.length / DIM }, (_, i) => Math.hypot(...rows.subarray(i * DIM, (i + 1) * DIM)));

it('takes the moments of each number', () => {
  const { mean, deviation } = momentsOf(Float32Array.of(1, 10, 3, 10), 2);
  expect([...mean]).toEqual([2, 10]);
  expect([...deviation]).toEqual([1, 0]);
  expect(() => momentsOf(new Float32Array(), 2)).toThrow(RangeError);
});

it('leaves texts alone without a correction', () => {
  expect(correctTexts(texts, 'none', statistics)).toBe(texts);
});

it.each(['mean-shift', 'standardised', 'shrink', 'neighbour'] as const)(
  'brings texts among pictures, at unit length (%s)',
  (correction) => {
    const corrected = correctTexts(texts, correction, statistics);
    for (const length of lengths(corrected)) expect(length).toBeCloseTo(1, 5);
    // Across the gap, and with the difference of the two texts kept.
    expect(corrected[0]).toBeGreaterThan(0.9);
    expect(corrected[3]).toBeGreaterThan(0.9);
    expect(corrected[1]!).toBeGreaterThan(corrected[4]!);
  },
);

it('shifts by the difference of the means', () => {
  const mean = (rows: Float32Array, d: number) => (rows[d]! + rows[DIM + d]!) / 2;
  const shifted = Array.from({ length: DIM }, (_, d) => texts[d]! - mean(texts, d) + statistics.images.mean[d]!);
  const expected = unit(...shifted);
  for (let d = 0; d < DIM; d++) expect(correctTexts(texts, 'mean-shift', statistics)[d]).toBeCloseTo(expected[d]!, 5);
});

it('scales each number by the ratio of the deviations', () => {
  const wide = {
    ...statistics,
    images: { ...statistics.images, deviation: statistics.images.deviation.map((x) => 3 * x) },
  };
  const [narrow, spread] = [statistics, wide].map((s) => correctTexts(texts, 'standardised', s)) as [
    Float32Array,
    Float32Array,
  ];
  expect(spread[1]! / spread[0]!).toBeCloseTo((3 * narrow[1]!) / narrow[0]!, 4);
});

it('shrinks towards the nearest pictures and not towards others', () => {
  const [near, far] = [unit(1, 1, 0), unit(-1, 0, 1)];
  const anchors = Float32Array.from([...Array(8).fill(near).flat(), ...Array(20).fill(far).flat()]);
  const cosine = (rows: Float32Array) => near.reduce((sum, x, d) => sum + x * rows[d]!, 0);
  const [shifted, shrunk] = (['mean-shift', 'shrink'] as const).map((correction) =>
    correctTexts(texts.slice(0, DIM), correction, { ...statistics, anchors }),
  ) as [Float32Array, Float32Array];
  const angle = (x: number) => Math.acos(Math.min(1, x));
  expect(angle(cosine(shrunk))).toBeCloseTo(angle(cosine(shifted)) / 2, 3);
});

it('draws a row towards one of its eight nearest pictures, by its seed', () => {
  // Eight pictures about the row, and many on the other side.
  const about = Array.from({ length: 8 }, (_, i) =>
    unit(1, 0.5 * Math.cos((i * Math.PI) / 4), 0.5 * Math.sin((i * Math.PI) / 4)),
  );
  const anchors = Float32Array.from([
    ...Array(20)
      .fill(unit(-1, 0.2, 0))
      .flat(),
    ...about.flat(),
  ]);
  const row = Float32Array.from(unit(1, 0, 0));
  const wanted = about.map((anchor) => unit(0.6 * row[0]! + 0.4 * anchor[0]!, 0.4 * anchor[1]!, 0.4 * anchor[2]!));
  const seen: number[] = [];
  for (let seed = 0; seed < 80; seed++) {
    const drawn = towardsNeighbour(row, seed, { anchors });
    expect([...towardsNeighbour(row, seed, { anchors })]).toEqual([...drawn]);
    const which = wanted.findIndex((one) => one.every((x, d) => Math.abs(x - drawn[d]!) < 1e-6));
    expect(which).toBeGreaterThanOrEqual(0);
    seen.push(which);
  }
  // Eight seeds in a row get eight different pictures, and others in another order.
  const orders = Array.from({ length: 10 }, (_, i) => seen.slice(8 * i, 8 * i + 8));
  for (const order of orders) expect(order.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(new Set(orders.map(String)).size).toBe(10);
});
