/**
 * Models from the Hugging Face hub, kept in the cache: which files a dual encoder needs, their checksums, and how they
 * are fetched. The library that runs them then reads that folder and nothing else.
 */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import { option } from '../../base/options.ts';
import { makeFolder, writeFileAtomic } from '../../files/atomic.ts';
import { cacheFolder } from '../../files/cache-folder.ts';
import { download, type GitFile, type RemoteFile } from '../../files/download.ts';
import { request, Unreachable } from '../../files/network.ts';
import { readText } from '../../files/regular-file.ts';
import { chooseFiles, LAYOUT } from './clip-files.ts';

/** Where models of the hub are kept, and how they are fetched. */
export interface HubOptions {
  /** Where models are kept; by default the user's cache folder. */
  readonly cacheDir?: string | undefined;
  /** Fetch nothing. Also set by HF_HUB_OFFLINE=1. */
  readonly offline?: boolean | undefined;
  /** Branch, tag or commit. */
  readonly revision?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes on the disk so far, over all files. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Times a broken transfer is taken up again, as long as each brings something. */
const RETRIES = 4;

const revisionSchema = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z.array(z.object({ rfilename: z.string() })),
});

/**
 * The folder of a hub model, fetched if it is not there. A revision is looked up once; what has been fetched is used
 * without asking the network again. HF_ENDPOINT, HF_TOKEN and the proxies of the environment are respected.
 * @throws UserError saying what to do: unknown name, gated model, no network, wrong content, full disk.
 */
export async function fetchFromHub(name: string, options: HubOptions = {}): Promise<string> {
  const fetched = fetchedBefore(name, options);
  if (fetched !== undefined) return fetched;
  const { root } = placesOf(name, options);
  if (isOffline(options))
    throw new UserError(
      `The CLIP ${name} is not in ${root}, and nothing may be fetched: run once without ${option('offline')} (and HF_HUB_OFFLINE), ${WAYS_ON}`,
    );
  try {
    return await fetchInto(root, name, options);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    throw new UserError(
      `There is no folder ${name}, and the CLIP of that name on the hub cannot be fetched (${error.reason}): check the network (HF_ENDPOINT names a mirror), ${WAYS_ON}`,
      { cause: error },
    );
  }
}

/** Whether nothing may be fetched. */
export const isOffline = ({ offline }: HubOptions): boolean =>
  offline === true || !['', '0', 'false'].includes(process.env.HF_HUB_OFFLINE ?? '');

/** The alternatives where nothing can be fetched. */
const WAYS_ON = `or fetch ${LAYOUT} elsewhere, put them into a folder as they are named, and name it with ${option('clip')}; without any network, ${option('clip', 'shipped')} is a CLIP of drawn faces, and training with ${option('stages', 'clip')} and ${option('data', 'pairs.jsonl')} makes one of your own captions`;

/** Where a model is kept, and the file that names the commit of its revision. */
function placesOf(name: string, { cacheDir = cacheFolder(), revision = 'main' }: HubOptions) {
  const root = path.join(path.resolve(cacheDir), 'hub', ...name.split('/'));
  return { root, revision, reference: path.join(root, 'refs', encodeURIComponent(revision)) };
}

/** The folder of a hub model that was fetched whole; undefined if it was not. */
export function fetchedBefore(name: string, options: HubOptions = {}): string | undefined {
  const { root, reference } = placesOf(name, options);
  const known = fs.existsSync(reference) ? path.join(root, readText(reference, 1024).trim()) : undefined;
  return known !== undefined && fs.existsSync(path.join(known, COMPLETE)) ? known : undefined;
}

async function fetchInto(root: string, name: string, options: HubOptions): Promise<string> {
  const { revision, reference } = placesOf(name, options);
  const { sha, siblings } = await lookUp(name, revision, options.signal);
  const folder = path.join(root, sha);
  const chosen = chooseFiles(siblings.map(({ rfilename }) => rfilename));
  if (typeof chosen === 'string')
    throw new UserError(
      `${name} on the hub ${chosen}: choose a dual encoder in the layout of transformers.js, such as Xenova/clip-vit-base-patch32`,
    );
  await fetchFiles(name, sha, chosen, folder, options);
  writeFileAtomic(path.join(folder, COMPLETE), '');
  makeFolder(path.dirname(reference));
  writeFileAtomic(reference, `${sha}\n`);
  return folder;
}

/** Its presence says that every file of a folder is there and verified. */
const COMPLETE = '.complete';

/** The address of the hub: HF_ENDPOINT, or the public one. */
export const endpoint = (): string => (process.env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');

const authorization = (): Record<string, string> =>
  process.env.HF_TOKEN ? { Authorization: `Bearer ${process.env.HF_TOKEN}` } : {};

const pathOf = (file: string): string => file.split('/').map(encodeURIComponent).join('/');

async function lookUp(name: string, revision: string, signal: AbortSignal | undefined) {
  const url = `${endpoint()}/api/models/${name}/revision/${encodeURIComponent(revision)}`;
  const response = await request(url, { headers: authorization(), ...(signal && { signal }) });
  if (!response.ok) throw refusal(name, url, response.status);
  const parsed = revisionSchema.safeParse(await response.json().catch(() => undefined));
  if (parsed.success) return parsed.data;
  throw new UserError(`${url} does not answer as the hub does: check HF_ENDPOINT`);
}

function refusal(name: string, url: string, status: number): UserError {
  if (status === 401 || status === 403)
    return new UserError(
      process.env.HF_TOKEN
        ? `the hub refuses ${name} to this HF_TOKEN (${status}): accept the model's terms on its page, or check the name and the token`
        : `the hub refuses ${name} (${status}): it is gated, private or unknown; check the name, accept its terms on its page and set HF_TOKEN`,
    );
  if (status === 404) return new UserError(`There is no model ${name} on the hub: check the name`);
  return new UserError(`${url} answers ${status}: try again later, or give a local folder`);
}

async function fetchFiles(
  name: string,
  sha: string,
  files: readonly string[],
  folder: string,
  { signal, onProgress }: HubOptions,
): Promise<void> {
  const remote: (readonly [string, RemoteFile | GitFile])[] = [];
  for (const file of files)
    remote.push([file, await describe(name, `${endpoint()}/${name}/resolve/${sha}/${pathOf(file)}`, signal)]);
  const total = remote.reduce((sum, [, { bytes }]) => sum + bytes, 0);
  let before = 0;
  for (const [file, source] of remote) {
    await download(source, path.join(folder, ...file.split('/')), {
      retries: RETRIES,
      signal,
      onProgress: (done) => onProgress?.(before + done, total),
    });
    before += source.bytes;
    onProgress?.(before, total);
  }
}

/** Size and checksum of a file: of large ones the hub tells SHA-256, of those in git the blob's SHA-1. */
async function describe(name: string, url: string, signal: AbortSignal | undefined): Promise<RemoteFile | GitFile> {
  const headers = authorization();
  const response = await request(url, {
    method: 'HEAD',
    // Only the answer before any redirection has them.
    redirect: 'manual',
    headers: { ...headers, 'Accept-Encoding': 'identity' },
    ...(signal && { signal }),
  });
  if (response.status >= 400) throw refusal(name, url, response.status);
  const tag = (response.headers.get('x-linked-etag') ?? response.headers.get('etag') ?? '').replace(/^W\/|"/g, '');
  const bytes = Number(response.headers.get('x-linked-size') ?? response.headers.get('content-length') ?? Number.NaN);
  if (!Number.isSafeInteger(bytes) || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(tag))
    throw new UserError(`${url} does not tell its size and checksum as the hub does: check HF_ENDPOINT`);
  return tag.length === 64 ? { url, bytes, sha256: tag, headers } : { url, bytes, gitSha1: tag, headers };
}
