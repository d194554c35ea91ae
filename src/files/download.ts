/**
 * Files from the network, fetched once: what broke off is taken up again, and only what has the expected checksum is
 * kept.
 */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { UserError } from '../base/errors.ts';
import { makeFolder } from './atomic.ts';
import { fileError, systemCode } from './file-errors.ts';
import { request, unreachable } from './network.ts';

/** A file as its publisher describes it. */
export interface RemoteFile {
  readonly url: string;
  readonly bytes: number;
  /** SHA-256 of the whole file, in hex. */
  readonly sha256: string;
  /** Sent along, such as an authorization; not to another host that the server names. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A file that its publisher keeps in git: SHA-1 of `blob <bytes>\0` and the content. */
export type GitFile = Omit<RemoteFile, 'sha256'> & { readonly gitSha1: string };

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes on the disk so far. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** How often to take up a transfer that broke off, before giving up; 0 by default. */
  readonly retries?: number | undefined;
}

/**
 * Fetch a file to `target`, unless it is there. Until it is whole and verified it is `<target>.part`, and a later call
 * requests the missing end only.
 * @throws UserError if the server cannot be reached or refuses, the content is not the expected one, or the disk is
 * full.
 */
export async function download(
  file: RemoteFile | GitFile,
  target: string,
  options: DownloadOptions = {},
): Promise<void> {
  if (fs.existsSync(target)) return;
  const part = `${target}.part`;
  try {
    makeFolder(path.dirname(target));
    if (sizeOf(part) > file.bytes) fs.rmSync(part);
    for (let left = options.retries ?? 0; sizeOf(part) < file.bytes; left--) {
      const before = sizeOf(part);
      await fetchRest(file, part, options).catch((error: unknown) => {
        // A try that brought some bytes is followed by another.
        if (left === 0 || sizeOf(part) === before || options.signal?.aborted) throw error;
      });
    }
    // An empty file is fetched by not fetching it.
    if (file.bytes === 0) fs.writeFileSync(part, '');
    if (!(await isExpected(part, file))) {
      fs.rmSync(part);
      throw new UserError(
        `${file.url} is not the expected file (its checksum differs): try again, or fetch it by hand`,
      );
    }
    fs.renameSync(part, target);
  } catch (error) {
    throw systemCode(error) === undefined ? error : fileError('write', target, error);
  }
}

/** Append to `part` what the server has beyond it. */
async function fetchRest(
  file: RemoteFile | GitFile,
  part: string,
  { signal, onProgress }: DownloadOptions,
): Promise<void> {
  const response = await ask(file, sizeOf(part), signal);
  // 206 is the rest; a server without support for ranges sends 200 and everything.
  const resumed = response.status === 206;
  const out = fs.createWriteStream(part, { flags: resumed ? 'a' : 'w' });
  let done = resumed ? sizeOf(part) : 0;
  try {
    for await (const chunk of response.body) {
      if (!out.write(chunk)) await once(out, 'drain');
      done += chunk.length;
      onProgress?.(done, file.bytes);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw systemCode(error) === undefined ? unreachable(file.url, error) : error;
  } finally {
    out.end();
    await finished(out);
  }
  if (done !== file.bytes)
    throw new UserError(`${file.url} broke off after ${done} of ${file.bytes} bytes: run again to fetch the rest`);
}

async function ask({ url, headers }: RemoteFile | GitFile, start: number, signal: AbortSignal | undefined) {
  const range = start > 0 ? { Range: `bytes=${start}-` } : {};
  const response = await request(url, { headers: { ...headers, ...range }, ...(signal && { signal }) });
  if (!response.ok || !response.body) throw new UserError(`${url} answers ${response.status}: fetch it by hand`);
  return { status: response.status, body: response.body as AsyncIterable<Uint8Array> };
}

const sizeOf = (file: string): number => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;

async function isExpected(part: string, file: RemoteFile | GitFile): Promise<boolean> {
  const hash = createHash('gitSha1' in file ? 'sha1' : 'sha256');
  if ('gitSha1' in file) hash.update(`blob ${file.bytes}\0`);
  for await (const chunk of fs.createReadStream(part)) hash.update(chunk as Uint8Array);
  return hash.digest('hex') === ('gitSha1' in file ? file.gitSha1 : file.sha256);
}
