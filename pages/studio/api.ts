/** Calls of the studio's server: paths as `src/studio/protocol.ts` lists them. */

import type { Failure } from '../../src/studio/protocol.ts';

/** Why the server, or the way to it, refused a call: one line for people. */
export class Refused extends Error {
  constructor(
    message: string,
    /** 0 where no answer came. */
    readonly status: number,
  ) {
    super(message);
  }
}

const NO_ANSWER = 'The studio does not answer: is it still running in its terminal?';

async function failureOf(response: Response): Promise<Refused> {
  const fallback = `The studio refused this (${response.status} ${response.statusText})`;
  try {
    const { error } = (await response.json()) as Partial<Failure>;
    return new Refused(error ?? fallback, response.status);
  } catch {
    return new Refused(fallback, response.status);
  }
}

async function call<T>(method: string, path: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/${path}`, { method, ...init });
  } catch {
    throw new Refused(NO_ANSWER, 0);
  }
  if (!response.ok) throw await failureOf(response);
  return (await response.json()) as T;
}

const json = (body: unknown): RequestInit => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

export const get = <T>(path: string): Promise<T> => call('GET', path);
export const post = <T>(path: string, body: unknown = {}): Promise<T> => call('POST', path, json(body));
export const remove = (path: string): Promise<object> => call('DELETE', path);

/** The bytes of a file; `onProgress` is called with the share that has been sent. */
export function upload<T>(path: string, file: File, onProgress?: (share: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `/api/${path}?${new URLSearchParams({ name: file.name })}`);
    request.setRequestHeader('content-type', 'application/octet-stream');
    request.upload.onprogress = ({ loaded, total }) => onProgress?.(total > 0 ? loaded / total : 0);
    request.onerror = () => reject(new Refused(NO_ANSWER, 0));
    request.onload = () => {
      const body = parsed(request.responseText);
      if (request.status < 400 && body !== undefined) return resolve(body as T);
      const { error = `The studio refused this file (${request.status})` } = (body ?? {}) as Partial<Failure>;
      reject(new Refused(error, request.status));
    };
    request.send(file);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const pictureUrl = (id: string): string => `/api/pictures/${id}.png`;
