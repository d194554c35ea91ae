/**
 * Train on a folder of pictures. Ctrl-C stops with a checkpoint; the same line goes on from it.
 *
 *   node examples/train.mjs <pictures> <run> [CLIP folder or hub name] [setting=value …]
 */

import fs from 'node:fs';
import path from 'node:path';
import { Interrupted, train, UserError } from 'clip-vqdiffusion';

const [data = 'my-pictures', run = 'my-run', clip, ...settings] = process.argv.slice(2);
const resume = fs.existsSync(path.join(run, 'run.json'));

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

try {
  const { seconds } = await train({
    run,
    // A run that is resumed knows its pictures, its CLIP and its settings.
    ...(resume ? { resume } : { data, clip, set: Object.fromEntries(settings.map((one) => one.split(/=(.*)/s))) }),
    signal: stop.signal,
    onProgress: (progress) => {
      if (progress.kind === 'step')
        console.error(`${progress.stage} ${progress.step}/${progress.steps}, loss ${progress.metrics.loss.toFixed(4)}`);
      else console.error(`${progress.what} ${progress.done}/${progress.total}`);
    },
    onNote: (note) => console.error(note),
  });
  console.log(`Trained ${run}:`, seconds);
} catch (error) {
  if (error instanceof Interrupted) console.log(`${error.message}: run the same line to go on`);
  else if (error instanceof UserError) {
    console.error(error.message);
    process.exitCode = 2;
  } else throw error;
}
