/** A trained model, opened for a command: what is fetched for it is shown, and Ctrl-C ends the fetching, too. */

import type { EngineOptions } from '../engine/protocol.ts';
import { Generator } from '../generation/generator.ts';
import type { Ranks } from '../mpi/ranks.ts';
import type { RunDirectory } from '../run/directory.ts';
import type { ProgressDisplay } from './progress.ts';

interface Opening {
  readonly engineOptions: EngineOptions;
  /** Where the CLIP lies, if not where the run says. */
  readonly clip?: string | undefined;
  readonly offline?: boolean | undefined;
  readonly ranks?: Ranks | undefined;
  readonly signal: AbortSignal;
  readonly display: Pick<ProgressDisplay, 'fetching'>;
}

/**
 * Open the model of a run.
 * @throws UserError as `Generator.load` does; what the signal was aborted with.
 */
export function openGenerator(
  run: RunDirectory,
  { engineOptions, clip, offline, ranks, signal, display }: Opening,
): Promise<Generator> {
  const onClip = display.fetching('the CLIP');
  return Generator.open(run, {
    ...engineOptions,
    clip,
    offline,
    ranks,
    signal,
    onProgress: ({ part, done, total }) => {
      if (part === 'clip') onClip(done, total);
    },
  });
}
