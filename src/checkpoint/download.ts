/** Files from the network, fetched once: what broke off is taken up again, and only what has the expected SHA-256 is kept. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { messageOf, UserError } from '../errors.ts';
import { fileError, systemCode } from './file-errors.ts';

/** A file as its publisher describes it. */
export interface RemoteFile {
  readonly url: string;
  /** Of the whole file, in hex. */
  readonly sha256: string;
  readonly bytes: number;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Hears of bytes on the disk so far. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Fetch a file to `target`, unless it is there. Until it is whole and verified it is `<target>.part`, and a later call asks the
 * server for the missing end only.
 * @throws UserError if the server cannot be reached or refuses, the content is not the expected one, or the disk is full.
 */
export async function download(file: RemoteFile, target: string, options: DownloadOptions = {}): Promise<void> {
  if (fs.existsSync(target)) return;
  const part = `${target}.part`;
  try {
    fs.mkdirSync(path.dirname(target), { recursive: true });
    if (sizeOf(part) > file.bytes) fs.rmSync(part);
    if (sizeOf(part) < file.bytes) await fetchRest(file, part, options);
    if ((await sha256Of(part)) !== file.sha256) {
      fs.rmSync(part);
      throw new UserError(`${file.url} is not the expected file (its SHA-256 differs): try again, or fetch it by hand`);
    }
    fs.renameSync(part, target);
  } catch (error) {
    throw systemCode(error) === undefined ? error : fileError('write', target, error);
  }
}

/** Append to `part` what the server has beyond it. */
async function fetchRest(file: RemoteFile, part: string, { signal, onProgress }: DownloadOptions): Promise<void> {
  const response = await request(file.url, sizeOf(part), signal);
  // 206 is the rest; a server that knows no ranges sends 200 and everything.
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

async function request(
  url: string,
  start: number,
  signal: AbortSignal | undefined,
): Promise<{ readonly status: number; readonly body: ReadableStream<Uint8Array> }> {
  const headers: Record<string, string> = start > 0 ? { Range: `bytes=${start}-` } : {};
  const response = await fetch(url, { headers, ...(signal && { signal }) }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw unreachable(url, error);
  });
  if (!response.ok || !response.body) throw new UserError(`${url} answers ${response.status}: fetch it by hand`);
  return { status: response.status, body: response.body };
}

function unreachable(url: string, error: unknown): UserError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return new UserError(`${url} cannot be fetched (${messageOf(cause)}): check the network, or fetch it by hand`, {
    cause: error,
  });
}

const sizeOf = (file: string): number => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of fs.createReadStream(file)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
