/** The networks that `clipvq evaluate --report` measures with, each opened where it is wanted. */

import { UserError, unlessRefused } from '../base/errors.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { openEmbedder } from '../embedding/embedder.ts';
import type { HubOptions } from '../embedding/sources/hub.ts';
import type { EngineOptions } from '../engine/engine.ts';
import { openDinoV2 } from '../evaluation/networks/dinov2.ts';
import { openInception } from '../evaluation/networks/inception.ts';
import type { FeatureNetwork } from '../evaluation/networks/network.ts';
import { perceptualDistances } from '../evaluation/perceptual-distance.ts';
import { filesIn, loadLpips } from '../vqgan/lpips-weights.ts';
import type { ProgressDisplay } from './progress.ts';

export interface NetworkOptions {
  /** Files with weights of these networks; true for those of the cache, which are fetched once. */
  readonly inception?: string | true | undefined;
  readonly dinov2?: string | true | undefined;
  readonly offline?: boolean | undefined;
  readonly engineOptions: EngineOptions;
}

/** Adds the networks of FID and FD-DINOv2 to `networks`, where the options want them; weights are fetched once. */
export async function openNetworks(
  networks: FeatureNetwork[],
  { inception, dinov2, offline, engineOptions }: NetworkOptions,
  signal: AbortSignal,
  display: ProgressDisplay,
): Promise<void> {
  const source = (name: string, file: string | true) => ({
    file: file === true ? undefined : file,
    offline,
    signal,
    onProgress: display.fetching(name),
  });
  if (inception !== undefined) networks.push(await openInception(engineOptions, source('Inception', inception)));
  if (dinov2 !== undefined) networks.push(await openDinoV2(engineOptions, source('DINOv2', dinov2)));
}

/**
 * LPIPS over the network whose weights a folder holds: AlexNet, which most papers report, before SqueezeNet and VGG.
 * @throws UserError where pictures of `side` are too small for it, or the folder holds no weights.
 */
export async function openLpips(folder: string, side: number, engineOptions: EngineOptions) {
  if (side < 32)
    throw new UserError(`LPIPS takes pictures of 32 pixels, and the model makes ${side}: leave --lpips out`);
  const net = (['alex', 'squeeze', 'vgg'] as const).find((name) => hasLpips(folder, name)) ?? 'vgg';
  const weights = await loadLpips(net, { folder });
  return {
    net,
    distances: (a: readonly RgbImage[], b: readonly RgbImage[]) => perceptualDistances(weights, a, b, engineOptions),
  };
}

const hasLpips = (folder: string, net: 'alex' | 'squeeze' | 'vgg'): boolean =>
  unlessRefused(() => filesIn(folder, net)) !== undefined;

/**
 * A second CLIP, which scores what the conditioning one has taken part in.
 * @throws UserError if it cannot be opened, or is the CLIP that conditions.
 */
export async function openSecondClip(
  name: string,
  conditioning: string,
  options: Pick<HubOptions, 'offline' | 'signal'>,
) {
  const clip = await openEmbedder(name, options);
  if (clip.id !== conditioning) return clip;
  await clip.close();
  throw new UserError(`--second-clip ${name} is the CLIP that the model was trained with: name another one`);
}
