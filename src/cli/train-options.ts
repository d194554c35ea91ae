/** The options of `clipvq train`. */

import { type Command, Option } from 'commander';
import { presets } from '../recipe/recipe.ts';
import { type StageName, stageNames } from '../training/stages.ts';
import type { MemoryOptions } from './memory.ts';
import { assignment, between, type CommonOptions, changedOption, memorySize, whole, withCommon } from './options.ts';
import { type ProfileOptions, withProfile } from './profile.ts';
import { type RankOptions, withRankOptions } from './rank-options.ts';
import type { LengthOptions } from './run-length.ts';
import { settingsHelp } from './settings-help.ts';

export interface TrainCommandOptions extends CommonOptions, ProfileOptions, MemoryOptions, LengthOptions, RankOptions {
  readonly data?: string;
  readonly run?: string;
  readonly from?: string;
  readonly preset?: string;
  readonly recipe?: string;
  readonly stage: StageName | 'all';
  readonly clip?: string;
  readonly set?: Readonly<Record<string, string>>;
  readonly exclude?: string;
  readonly maxPixels?: number;
  readonly seed?: number;
  readonly checkpointEvery: number;
  readonly hashEvery?: number;
  readonly sheets?: string | true;
  readonly sheetsEvery?: number;
  readonly estimate?: boolean;
  readonly lpips?: string;
  readonly offline?: boolean;
}

/** Adds the options of `clipvq train` to a command. */
export function withTrainOptions(command: Command): Command {
  command
    .option(
      '--data <pictures>',
      'a folder, .zip, .tar or Parquet file of pictures; faces (drawn) or fashion-mnist; with --stage clip also pairs.jsonl',
    )
    .option('--run <dir>', 'where to keep the run; a run directory is a model')
    .option('--from <dir>', 'start from the weights and settings of this model (trained or converted)')
    .option('--preset <name>', `sizes and lengths to start from: ${Object.keys(presets).join(', ')} (default: nano)`)
    .option(
      '--recipe <file>',
      'settings in a YAML or JSON file, instead of --preset; clipvq recipe prints one to start from, --set goes over it',
    )
    .addOption(new Option('--stage <name>', 'train one stage only').choices([...stageNames, 'all']).default('all'))
    .option(
      '--clip <compact|shipped|folder|hub name>',
      'the CLIP to learn from; shipped is the one for drawn faces in this package (default: compact for faces, Xenova/clip-vit-base-patch32 for folders)',
    )
    .option('--exclude <file>', 'leave out the pictures that this file names, one a line; * stands for anything')
    .option(
      '--max-pixels <megapixels>',
      'leave out larger pictures; the same as --set pictures.maxPixels',
      between(0.01, 1000),
    )
    .option('--set <key=value>', 'change a setting; repeatable', assignment)
    .option('--seed <n>', 'seed of everything random (default: 0)', whole(0))
    .option(
      '--accumulate <n>',
      'compute a batch in n micro-batches (at most one a picture): less memory, the same gradients',
      whole(1),
    )
    .option(
      '--memory <size>',
      'keep the process under this much memory (1500M, 4G): batches are computed in as many micro-batches as that takes',
      memorySize,
    )
    .option('--max-steps <n>', 'no stage longer than this many steps in all; schedules end there', whole(1))
    .option('--minutes <m>', 'about how long training may take: all stages are made to fit', between(0.05, 1e6))
    .option('--steps-scale <x>', 'make all stages this many times as long as in the preset', between(0.001, 1000))
    .addOption(new Option('--checkpoint-every <n>', 'steps between checkpoints').argParser(whole(1)).default(500))
    .option(
      '--sheets [file|0]',
      'draw a sheet into samples/ eight times within each stage and at its end: reconstructions, and pictures for the prompts of the file (default: those of the demo for faces, else pictures like some of the set); without the option smaller sheets at quarters of stages of more than ten minutes; 0 for none',
    )
    .option('--sheets-every <n>', 'with --sheets: steps between sheets of a stage; 0 is at its end only', whole(0))
    .option(
      '--hash-every <n>',
      'steps between hashes of weights and moments in metrics.jsonl, which show that two runs are the same; 0 is never (default: as --checkpoint-every)',
      whole(0),
    )
    .option('--lpips <dir>', 'the weights of LPIPS, for recipes that use it (default: fetched once into the cache)')
    .option('--offline', 'fetch neither a CLIP nor weights of LPIPS: use what is in the cache (also HF_HUB_OFFLINE=1)')
    .option('--resume', 'continue the run in --run')
    .option(
      '--longer <2x|+1000|3000>',
      'with --resume: train the diffusion model (or the --stage) for so much longer; its schedule follows',
    )
    .addOption(changedOption('with --resume'))
    .option(
      '--estimate',
      'print what the run will cost on this machine, measured by a few steps where these are quick, and exit',
    );
  return withProfile(withCommon(withRankOptions(command))).addHelpText('after', settingsHelp);
}
