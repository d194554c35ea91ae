/**
 * Where the weights of LPIPS come from: a folder the user names, or the cache, which is filled from their publishers
 * once.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import type { NDArray } from '../base/ndarray.ts';
import { bytesOf } from '../base/ndarray.ts';
import { option } from '../base/options.ts';
import { flatten } from '../base/tree.ts';
import { readSafetensors } from '../checkpoint/safetensors.ts';
import { readTorch } from '../checkpoint/torch/read.ts';
import { TorchTensor } from '../checkpoint/torch/tensors.ts';
import { cacheFolder } from '../files/cache-folder.ts';
import { type DownloadOptions, download, type RemoteFile } from '../files/download.ts';
import { fileError } from '../files/file-errors.ts';
import { adopt } from '../nn/parameters.ts';
import { type Lpips, lpipsParameters } from './lpips.ts';
import type { PerceptualNet } from './lpips-backbones.ts';

/** Weights of LPIPS, and their identity. */
export interface LpipsWeights {
  readonly net: PerceptualNet;
  readonly params: Lpips<NDArray<'float32'>>;
  /** SHA-256 of the values, hex. */
  readonly id: string;
}

/** Where the weights are looked for. */
export interface LpipsSource extends DownloadOptions {
  /** A folder that holds the files; nothing is downloaded then. */
  readonly folder?: string | undefined;
  /** Take what the cache holds, and nothing from the network. */
  readonly offline?: boolean | undefined;
  /** The cache; by default the user's. */
  readonly cache?: string | undefined;
  /** The files as published; tests name others. */
  readonly published?: Readonly<Record<PerceptualNet, PublishedWeights>> | undefined;
}

/** The two files of a network: its features, from torchvision, and the learned weights of LPIPS v0.1. */
export interface PublishedWeights {
  readonly backbone: RemoteFile;
  readonly lin: RemoteFile;
}

const torchvision = (name: string, sha256: string, bytes: number): RemoteFile => ({
  url: `https://download.pytorch.org/models/${name}.pth`,
  sha256,
  bytes,
});
const learned = (net: PerceptualNet, sha256: string, bytes: number): RemoteFile => ({
  url: `https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/${net}.pth`,
  sha256,
  bytes,
});

const PUBLISHED: Readonly<Record<PerceptualNet, PublishedWeights>> = {
  vgg: {
    backbone: torchvision(
      'vgg16-397923af',
      '397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0',
      553_433_881,
    ),
    lin: learned('vgg', 'a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868', 7289),
  },
  alex: {
    backbone: torchvision(
      'alexnet-owt-7be5be79',
      '7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02',
      244_408_911,
    ),
    lin: learned('alex', 'df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0', 6009),
  },
  squeeze: {
    backbone: torchvision(
      'squeezenet1_1-b8a52dc0',
      'b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b',
      4_958_839,
    ),
    lin: learned('squeeze', '4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76', 10_811),
  },
};

/** What the files of a folder may be called. */
const NAMES: Readonly<Record<PerceptualNet, { readonly backbone: RegExp; readonly lin: RegExp }>> = {
  vgg: { backbone: /^vgg16.*\.(pth|safetensors)$/, lin: /^(lin-)?vgg(-v0\.1)?\.(pth|safetensors)$/ },
  alex: { backbone: /^alexnet.*\.(pth|safetensors)$/, lin: /^(lin-)?alex(-v0\.1)?\.(pth|safetensors)$/ },
  squeeze: {
    backbone: /^squeezenet1_1.*\.(pth|safetensors)$/,
    lin: /^(lin-)?squeeze(-v0\.1)?\.(pth|safetensors)$/,
  },
};

/**
 * The weights of LPIPS over a network.
 * @throws UserError naming what is missing and where it can be had, or the file that is damaged or foreign.
 */
export async function loadLpips(net: PerceptualNet, source: LpipsSource = {}): Promise<LpipsWeights> {
  const files = source.folder === undefined ? await cached(net, source) : filesIn(source.folder, net);
  const arrays = { ...readBackbone(files.backbone, net), ...readLin(files.lin) };
  const params = adopt(lpipsParameters(net), arrays, `${files.backbone} with ${path.basename(files.lin)}`);
  return { net, params, id: identity(params) };
}

interface Files {
  readonly backbone: string;
  readonly lin: string;
}

/**
 * The files of a network in a folder.
 * @throws UserError if one is missing.
 */
export function filesIn(folder: string, net: PerceptualNet): Files {
  const listed = list(folder);
  const find = (part: keyof Files): string => {
    const name = listed.find((entry) => NAMES[net][part].test(entry));
    if (name !== undefined) return path.join(folder, name);
    const { url } = PUBLISHED[net][part];
    throw new UserError(`${folder} lacks the LPIPS weights ${path.posix.basename(url)}: fetch them from ${url}`);
  };
  return { backbone: find('backbone'), lin: find('lin') };
}

function list(folder: string): string[] {
  try {
    return fs.readdirSync(folder).sort();
  } catch (error) {
    throw fileError('read', folder, error);
  }
}

async function cached(net: PerceptualNet, source: LpipsSource): Promise<Files> {
  const folder = path.join(source.cache ?? cacheFolder(), 'lpips');
  const { backbone, lin } = (source.published ?? PUBLISHED)[net];
  const fetched = async ({ url, ...file }: RemoteFile): Promise<string> => {
    const target = path.join(folder, path.posix.basename(url));
    if (fs.existsSync(target)) return target;
    if (source.offline)
      throw new UserError(
        `${folder} lacks ${path.basename(target)}, and nothing may be fetched: run once without ${option('offline')}`,
      );
    await download({ url, ...file }, target, source);
    return target;
  };
  // The small file first: what cannot be had is found before the large one is fetched.
  const small = await fetched(lin);
  return { backbone: await fetched(backbone), lin: small };
}

/** The features of a network, with or without its classifier: `features.0.weight` or `0.weight`. */
function readBackbone(file: string, net: PerceptualNet): Record<string, NDArray> {
  const wanted = flatten(lpipsParameters(net));
  const names = (name: string) => {
    const path = `features.${name.replace(/^features\./, '')}`;
    return path in wanted ? path : undefined;
  };
  return readTensors(file, names);
}

/** `lin0.model.1.weight` and so on. */
const readLin = (file: string): Record<string, NDArray> =>
  readTensors(file, (name) => {
    const [, layer] = /^lin(\d+)\.model\.1\.weight$/.exec(name) ?? [];
    return layer === undefined ? undefined : `lin.${layer}.weight`;
  });

/** The tensors of a file that have a name here, under it. */
function readTensors(file: string, nameOf: (name: string) => string | undefined): Record<string, NDArray> {
  const named = (name: unknown): string[] => {
    const path = typeof name === 'string' ? nameOf(name) : undefined;
    return path === undefined ? [] : [path];
  };
  if (file.endsWith('.safetensors')) {
    const { tensors } = readSafetensors(file);
    return Object.fromEntries(Object.entries(tensors).flatMap(([name, x]) => named(name).map((path) => [path, x])));
  }
  const content = readTorch(file);
  if (!(content instanceof Map)) throw new UserError(`${file} is not a state dict: fetch the published file`);
  return Object.fromEntries(
    [...content].flatMap(([name, x]) => (x instanceof TorchTensor ? named(name).map((path) => [path, x.load()]) : [])),
  );
}

function identity(params: Lpips<NDArray<'float32'>>): string {
  const hash = createHash('sha256');
  for (const [name, { data }] of Object.entries(flatten<NDArray<'float32'>>(params)))
    hash.update(`${name}\0`).update(bytesOf(data));
  return hash.digest('hex');
}
