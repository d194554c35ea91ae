/**
 * Who may come in: browsers that have exchanged a one-time token for a cookie, over an address that is this studio's,
 * from its own pages, and not too often.
 */

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import os from 'node:os';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

const secret = (): string => randomBytes(24).toString('base64url');

/** Compares in a time that does not tell how much is right. */
function isEqual(a: string, b: string): boolean {
  const [first, second] = [Buffer.from(a), Buffer.from(b)];
  return first.length === second.length && timingSafeEqual(first, second);
}

/** Tokens are good for one exchange; what they are exchanged for is good until the studio ends. */
export class Tokens {
  #token = secret();
  readonly #session = secret();

  /** The token that is good now. */
  get token(): string {
    return this.#token;
  }

  /** The value of the cookie, for the right token, which is used up; undefined for any other. */
  exchange(token: string): string | undefined {
    if (!isEqual(token, this.#token)) return undefined;
    this.#token = secret();
    return this.#session;
  }

  isSession(value: string | undefined): boolean {
    return value !== undefined && isEqual(value, this.#session);
  }
}

/** Hosts that a request may be for. */
export class Hosts {
  readonly #isOpen: boolean;
  readonly #names: ReadonlySet<string>;

  /** @param host what the server listens on: an address of this machine alone, or one that others reach. */
  constructor(host: string) {
    this.#isOpen = !isLoopback(host);
    this.#names = new Set([...LOOPBACK, ...(this.#isOpen ? [host, os.hostname(), `${os.hostname()}.local`] : [])]);
  }

  /**
   * Whether a Host header names this server. A name that is not its own may have been made to point here by a page of
   * somebody else's; an address cannot.
   */
  isOwn(header: string | undefined, port: number): boolean {
    const [, name, given = '80'] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/i.exec(header ?? '') ?? [];
    if (name === undefined || Number(given) !== port) return false;
    const isAddress = isIP(name.replace(/^\[|\]$/g, '')) !== 0;
    return this.#names.has(name.toLowerCase()) || (this.#isOpen && isAddress);
  }
}

/** Whether what a server listens on can be reached from this machine alone. */
export const isLoopback = (host: string): boolean => /^(127(\.\d+){3}|localhost|::1)$/.test(host);

/** Whether a request comes from a page of this server, or from no page at all. */
export function isOwnPage(headers: {
  readonly origin?: string;
  readonly site?: string;
  readonly host: string;
}): boolean {
  const { origin, site, host } = headers;
  if (origin !== undefined) return origin === `http://${host}`;
  return site === undefined || site === 'same-origin' || site === 'none';
}

/** Requests that come at once, and those a second after them. */
const [BURST, RATE] = [600, 120];

/** So many requests and no more, over all who send them: one person uses a studio. */
export class Rate {
  #left = BURST;
  #last = performance.now();

  isTooMuch(): boolean {
    const now = performance.now();
    this.#left = Math.min(BURST, this.#left + ((now - this.#last) * RATE) / 1000);
    this.#last = now;
    if (this.#left < 1) return true;
    this.#left--;
    return false;
  }
}

/** Sent with everything. */
export const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "frame-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
};

/** A report may stand in a frame of the studio, has styles of its own, and neither scripts nor an origin. */
export const REPORT_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
  'X-Frame-Options': 'SAMEORIGIN',
};
