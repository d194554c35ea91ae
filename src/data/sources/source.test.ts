/** The preloader: order, progress, bounded concurrency, abort. */
import { describe, expect, it } from 'vitest';
import { mapConcurrently } from '../../base/concurrency.ts';
import { type ImageSource, loadAll } from './source.ts';

const numbered = (size: number): ImageSource => ({
  name: 'numbered',
  size,
  id: String,
  contentId: String,
  async read(index, imageSize) {
    await new Promise((resolve) => setTimeout(resolve, (index * 7) % 5));
    return { width: imageSize, height: imageSize, data: new Uint8Array(3 * imageSize ** 2).fill(index) };
  },
});

describe('loadAll', () => {
  it('keeps index order although pictures arrive out of order, and counts every one', async () => {
    const seen: number[] = [];
    const bytes = await loadAll(numbered(20), 2, { onProgress: (done, total) => seen.push(done / total) });
    expect([...bytes]).toEqual(Array.from({ length: 240 }, (_, i) => Math.floor(i / 12)));
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => (i + 1) / 20));
  });

  it('rejects with the reason of the signal', async () => {
    const stop = new AbortController();
    const loading = loadAll(numbered(50), 2, {
      signal: stop.signal,
      onProgress: (done) => done === 5 && stop.abort(new Error('enough')),
    });
    await expect(loading).rejects.toThrow('enough');
  });
});

describe('mapConcurrently', () => {
  it('never exceeds its limit and starts nothing after a failure', async () => {
    let running = 0;
    let most = 0;
    let started = 0;
    const work = mapConcurrently(
      100,
      undefined,
      async (index) => {
        started++;
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running--;
        if (index === 10) throw new Error('job 10');
      },
      3,
    );
    await expect(work).rejects.toThrow('job 10');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(most).toBe(3);
    expect(started).toBeLessThan(15);
  });
});
