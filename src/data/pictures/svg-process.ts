/**
 * A process that draws SVG, started by `svg.ts`. A drawing is a program: a few lines of it can name each other so often
 * that drawing them takes years, and the library that draws cannot be interrupted. Here it ends with its process.
 */

import { oneLine } from './decoder-words.ts';
import { sharp } from './sharp.ts';
import type { SvgJob, SvgReply } from './svg.ts';

/** Bytes that the process may take, of which a drawing of 100 megapixels takes half. */
const MOST_MEMORY = 2 ** 31;
/** Milliseconds between looks at what has been used. */
const PERIOD = 50;

const answer = (reply: SvgReply, then: () => void = () => undefined) => process.send?.(reply, then);
// Native code that is under way holds up every other way to end a process.
const end = () => process.kill(process.pid, 'SIGKILL');

/** Ends a job that uses more than it may: the processor's time, so that a busy machine draws what an idle one does. */
function watch({ seconds }: SvgJob): () => void {
  const start = process.cpuUsage();
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(start);
    const isLong = user + system > seconds * 1e6;
    if (!isLong && process.memoryUsage.rss() < MOST_MEMORY) return;
    clearInterval(timer);
    const limit = isLong ? `${seconds} s of a processor` : `${MOST_MEMORY / 2 ** 30} GiB`;
    answer({ reason: `drawing it takes more than ${limit}`, isOver: true }, end);
  }, PERIOD);
  return () => clearInterval(timer);
}

async function result({ svg, density, maxPixels }: SvgJob): Promise<SvgReply> {
  const scale = density !== undefined && { density };
  if (maxPixels === undefined) {
    const { width, height } = await sharp(svg, { limitInputPixels: false }).metadata();
    return { width, height };
  }
  const drawing = sharp(svg, { limitInputPixels: maxPixels, failOn: 'error', ...scale });
  return { png: await drawing.png({ compressionLevel: 1 }).toBuffer() };
}

process.on('message', (job: SvgJob) => {
  const done = watch(job);
  result(job)
    .catch((error: unknown) => ({ reason: oneLine(error) }))
    .then((reply) => {
      done();
      answer(reply);
    });
});
process.on('disconnect', end);
// Ctrl-C reaches the whole group; this process ends with the one that started it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
