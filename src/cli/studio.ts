/** `clipvq studio`: make pictures and watch training in a browser. */

import path from 'node:path';
import { Command } from 'commander';
import { shippedModel } from '../embedding/sources/shipped.ts';
import { packageVersion } from '../files/own-package.ts';
import { isLoopback } from '../studio/http/guard.ts';
import { descriptions } from './command-names.ts';
import { facePrompts } from './face-prompts.ts';
import { fired } from './interrupt.ts';
import { type CommonOptions, engineOptions, port, withCommon } from './options.ts';
import { interruptSignal, note, printResult } from './output.ts';
import { meanings } from './progress.ts';

const version = packageVersion();

interface StudioCommandOptions extends CommonOptions {
  readonly model?: string;
  readonly runs?: string;
  readonly folder: string;
  readonly data?: readonly string[];
  readonly port: number;
  readonly host?: string;
}

export function studioCommand(): Command {
  const command = new Command('studio')
    .description(descriptions.studio)
    .option('--model <dir>', 'a run directory to draw with (default: the model of drawn faces that is shipped)')
    .option('--runs <dir>', 'where runs are, those to watch and new ones (default: runs in the folder of --folder)')
    .option('--data <path...>', 'folders and archives of pictures that may be trained on; nothing else is shown')
    .option('--folder <dir>', 'where history, uploads and reports are kept; nothing is written elsewhere', 'studio')
    .option('--port <n>', 'the port; 0 is any that is free', port, 7860)
    .option(
      '--host <address>',
      'listen there instead of on 127.0.0.1, so that other machines can reach it; they need the token, too, and nothing is encrypted',
    );
  return withCommon(command).action(studio);
}

async function studio(options: StudioCommandOptions): Promise<void> {
  const { data = [], port, host, json = false, debug = false } = options;
  const folder = path.resolve(options.folder);
  const signal = interruptSignal(
    'Closing the studio; trainings go on, and what is drawn begins anew at the next start',
  );
  const faces = options.model === undefined ? shippedModel() : undefined;
  const { serveStudio } = await import('../studio/http/server.ts');
  const { presetCosts } = await import('../studio/presets.ts');
  const running = await serveStudio({
    ...{ model: path.resolve(faces ?? options.model ?? ''), faces, folder, port, host, version, facePrompts, meanings },
    runs: path.resolve(options.runs ?? path.join(folder, 'runs')),
    data: data.map((place) => path.resolve(place)),
    engine: engineOptions(options),
    onAddress: (address) => note(`That address was used already; a new one: ${address}`),
    onFault: (error) => note(debug && error instanceof Error ? `${error.stack}` : `clipvq: ${String(error)}`),
  });
  try {
    const { address, isPageBuilt } = running;
    printResult(json, { address, folder, port: running.port }, () => [
      `The studio is open: ${address}`,
      `It keeps everything in ${folder}; Ctrl-C closes it: trainings go on, and the queue waits for the next start.`,
    ]);
    if (!isPageBuilt) note('The page is not built, only its addresses answer: build it with node scripts/setup.mjs');
    if (host !== undefined && !isLoopback(host))
      note(`Other machines can reach it on ${host}: anyone who has the address can use it, and nothing is encrypted`);
    // Seconds of work at the first start, done in the background.
    const prepared = running.studio.ready().then(() => presetCosts(running.studio));
    prepared.catch(() => {});
    await fired(signal);
  } finally {
    await running.close();
  }
}
