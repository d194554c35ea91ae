/** The networks that `clipvq evaluate --report` measures with, beside those of the model. */

import { UserError, unlessRefused } from '../base/errors.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { type ClipEmbedder, openEmbedder } from '../embedding/embedder.ts';
import type { HubOptions } from '../embedding/sources/hub.ts';
import type { EngineOptions } from '../engine/engine.ts';
import { openDinoV2 } from '../evaluation/networks/dinov2.ts';
import { openInception } from '../evaluation/networks/inception.ts';
import { clipNetwork, type FeatureNetwork } from '../evaluation/networks/network.ts';
import { perceptualDistances } from '../evaluation/perceptual-distance.ts';
import type { Generator } from '../generation/generator.ts';
import { filesIn, loadLpips } from '../vqgan/lpips-weights.ts';
import type { ProgressDisplay } from './progress.ts';

export interface NetworkOptions {
  /** Folder or hub name of a second CLIP that scores. */
  readonly secondClip?: string | undefined;
  /** A folder with weights of LPIPS. */
  readonly lpips?: string | undefined;
  /** Files with weights of these networks; true for those of the cache, which are fetched once. */
  readonly inception?: string | true | undefined;
  readonly dinov2?: string | true | undefined;
  readonly offline?: boolean | undefined;
  readonly engineOptions: EngineOptions;
}

/** What a report measures with. */
export interface Instruments extends AsyncDisposable {
  readonly lpips: Awaited<ReturnType<typeof openLpips>> | undefined;
  /** A CLIP that has had no part in making the pictures. */
  readonly second: { readonly name: string; readonly clip: ClipEmbedder } | undefined;
  /** Sets of pictures are compared by their features: the CLIP that conditions, the second one, and the others. */
  readonly networks: readonly FeatureNetwork[];
}

/**
 * Open all that the options name, so that what cannot be used is refused before anything is computed; weights are
 * fetched once.
 * @param hasPrompts whether pictures will be made: the networks of FID and FD-DINOv2 are opened for them alone.
 * @throws UserError if one cannot be opened, or is of no use with this model.
 */
export async function openInstruments(
  { clip, recipe }: Pick<Generator, 'clip' | 'recipe'>,
  { secondClip, lpips, inception, dinov2, offline, engineOptions }: NetworkOptions,
  hasPrompts: boolean,
  { signal, display }: { readonly signal: AbortSignal; readonly display: ProgressDisplay },
): Promise<Instruments> {
  const networks = [clipNetwork('the CLIP that conditions', clip)];
  let second: Instruments['second'];
  const close = async () => {
    for (const network of networks) await network.close();
    await second?.clip.close();
  };
  const weights = (name: string, file: string | true) => ({
    file: file === true ? undefined : file,
    offline,
    signal,
    onProgress: display.fetching(name),
  });
  try {
    if (secondClip !== undefined) {
      const fetching = { offline, signal, onProgress: display.fetching('the second CLIP') };
      second = { name: secondClip, clip: await openSecondClip(secondClip, clip.id, fetching) };
      networks.push(clipNetwork(second.name, second.clip));
    }
    const distances = lpips === undefined ? undefined : await openLpips(lpips, recipe.imageSize, engineOptions);
    if (hasPrompts && inception !== undefined)
      networks.push(await openInception(engineOptions, weights('Inception', inception)));
    if (hasPrompts && dinov2 !== undefined) networks.push(await openDinoV2(engineOptions, weights('DINOv2', dinov2)));
    return { lpips: distances, second, networks, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * LPIPS over the network whose weights a folder holds: AlexNet, which most papers report, before SqueezeNet and VGG.
 * @throws UserError where pictures of `side` are too small for it, or the folder holds no weights.
 */
async function openLpips(folder: string, side: number, engineOptions: EngineOptions) {
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
  options: Pick<HubOptions, 'offline' | 'signal' | 'onProgress'>,
) {
  const clip = await openEmbedder(name, options);
  if (clip.id !== conditioning) return clip;
  await clip.close();
  throw new UserError(`--second-clip ${name} is the CLIP that the model was trained with: name another one`);
}
