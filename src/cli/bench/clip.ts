/**
 * `clipvq bench clip`: how well prompts find real faces that show them, which is the ceiling of what a generator can
 * follow.
 */

import { Command } from 'commander';
import { benchClip, type ClipBench } from '../../bench/clip-bench.ts';
import { openEmbedder } from '../../embedding/embedder.ts';
import { Engine } from '../../engine/engine.ts';
import type { AttributeAccuracy, Wording } from '../../evaluation/attribute-prompts.ts';
import { openFaceClassifier } from '../../evaluation/classifier/face-classifier.ts';
import { cacheFolder } from '../../files/cache-folder.ts';
import { HELD_OUT_FACES_OFFSET } from '../../training/pictures/pictures.ts';
import { type CommonOptions, engineOptions, whole, withCommon } from '../options.ts';
import { interruptSignal, printResult } from '../output.ts';
import { percent } from '../percent.ts';
import { ProgressDisplay } from '../progress.ts';

interface Options extends CommonOptions {
  readonly clip: string;
  readonly prompts: number;
  readonly faces: number;
  readonly nearest: number;
}

const IMAGE_SIZE = 64;

export function benchClipCommand(): Command {
  const command = new Command('clip')
    .description('how well a CLIP finds unseen drawn faces for unseen prompts, as a face classifier sees them')
    .requiredOption('--clip <folder|hub name>', 'the CLIP to measure, such as <run>/clip')
    .option('--prompts <n>', 'prompts of one to three attributes, in each wording', whole(3), 300)
    .option('--faces <n>', 'unseen faces to find them among', whole(100), 4000)
    .option('--nearest <n>', 'faces retrieved for a prompt', whole(1), 2);
  return withCommon(command).action(run);
}

async function run(options: Options): Promise<void> {
  const signal = interruptSignal();
  const display = new ProgressDisplay();
  const engine = Engine.start(engineOptions(options));
  const clip = await openEmbedder(options.clip, { threads: options.threads ?? 0 });
  try {
    const count = (what: string) => display.count(what);
    const { classifier, accuracy } = await openFaceClassifier({
      ...{ engine, imageSize: IMAGE_SIZE, folder: cacheFolder(), signal, count },
    });
    const { prompts, faces, nearest } = options;
    const first = HELD_OUT_FACES_OFFSET + 500_000_000;
    const onProgress = display.count('drawing');
    const result = await benchClip({ clip, classifier, prompts, faces, nearest, first, signal, onProgress });
    display.end();
    printResult(options.json ?? false, { clip: options.clip, classifier: accuracy, ...result }, () => lines(result));
  } finally {
    await Promise.all([clip.close(), engine.close()]);
  }
}

function lines({ ceiling, best, ...bench }: ClipBench): string[] {
  const row = (name: string, { attributes, whole, byQuestion }: AttributeAccuracy) =>
    `${name}: ${percent(attributes, 1)} of attributes, ${percent(whole, 1)} whole (${Object.entries(byQuestion)
      .map(([question, share]) => `${question} ${percent(share, 1)}`)
      .join(', ')})`;
  const wordings: readonly Wording[] = ['known', 'held-out'];
  return [
    `The ${bench.nearest} nearest of ${bench.faces} unseen faces to each of ${bench.prompts} prompts show`,
    ...wordings.map((wording) => row(`  prompts in ${wording} wording`, ceiling[wording])),
    row('  the best faces there are', best),
    `Among 100: a caption's face is the nearest ${percent(bench.textAt1, 1)}, a face's caption ${percent(bench.imageAt1, 1)}`,
    `Gap between means ${bench.gap.toFixed(3)}, between shapes ${bench.distributionGap.toFixed(3)} (0 to 1.41)`,
  ];
}
