import { expect, it } from 'vitest';
import { Events } from './events.ts';

it('a listener that reads nothing keeps only the newest preview of a job, and is let go when too much waits for it', async () => {
  const events = new Events();
  const listener = events.listen({ type: 'reports' });
  const frame = { png: 'x'.repeat(1000), masked: '', seed: 0, prompt: '' };
  for (let step = 1; step <= 1000; step++)
    events.publish({
      type: 'preview',
      preview: { job: 'one', step, steps: 1000, first: 0, grid: 1, frames: [frame] },
    });
  expect(await listener.next()).toContain('"reports"');
  expect(await listener.next()).toContain('"step":1000');
  for (let i = 0; i < 600; i++) events.publish({ type: 'data' });
  expect(await listener.next()).toBeUndefined();
  events.close();
});
