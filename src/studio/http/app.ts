/** Every request, from the door to its handler. */

import { type Handler, Hono, type MiddlewareHandler } from 'hono';
import { messageOf, UserError } from '../../base/errors.ts';
import { Missing, TooLarge, TooMany } from '../refusals.ts';
import type { Studio } from '../studio.ts';
import type { Env } from './context.ts';
import { HEADERS, Hosts, isOwnPage, Rate, type Tokens } from './guard.ts';
import type { Pages } from './pages.ts';
import { routes } from './routes.ts';

export interface Door {
  readonly studio: Studio;
  /** What the server listens on. */
  readonly host: string;
  /** The port, once it is known. */
  readonly port: () => number;
  readonly tokens: Tokens;
  readonly pages: Pages;
  /** Called when a request brings a token that was used already. */
  readonly onUsedToken: () => void;
  /** Called with what is a fault of the studio. */
  readonly onFault: (error: unknown) => void;
}

/** No address is longer. */
const MOST_ADDRESS = 4096;

/** The app of a studio: what every request has to pass, one after another, and what answers it then. */
export function studioApp(door: Door): Hono<Env> {
  const app = new Hono<Env>();
  const sessions = new Sessions(door);
  app.use('*', forStudio(door.studio));
  app.use('*', onlyOwnPages(door));
  app.get('/', sessions.entrance);
  app.use('*', sessions.only);
  app.route('/api', routes());
  app.get('*', files(door.pages));
  app.notFound((c) => c.json({ error: 'There is nothing at this address' }, 404));
  app.onError((error, c) => {
    const status = statusOf(error);
    if (status === 500) door.onFault(error);
    const text = status === 500 ? 'The studio has failed at this: its terminal says more' : messageOf(error);
    return c.json({ error: text }, status);
  });
  return app;
}

/** Hands the studio to what answers, and puts the headers on that every answer has. */
function forStudio(studio: Studio): MiddlewareHandler<Env> {
  return async (c, next) => {
    c.set('studio', studio);
    await next();
    for (const [name, value] of Object.entries(HEADERS)) if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    if (!c.res.headers.has('Cache-Control')) c.res.headers.set('Cache-Control', 'no-store');
  };
}

/** Turns away what is not sent to this address by a page of it, what is too long, and what comes too often. */
function onlyOwnPages({ host, port }: Pick<Door, 'host' | 'port'>): MiddlewareHandler<Env> {
  const hosts = new Hosts(host);
  const rate = new Rate();
  return async (c, next) => {
    const { headers } = c.env.incoming;
    if (!hosts.isOwn(headers.host, port())) return c.json({ error: 'This studio has another address' }, 421);
    const { origin } = headers;
    const site = c.req.header('sec-fetch-site');
    const goesThere = (c.req.header('sec-fetch-dest') ?? 'document') === 'document';
    const isFirst = c.req.method === 'GET' && c.req.path === '/' && goesThere;
    const own = isOwnPage({ host: headers.host!, ...(origin && { origin }), ...(site && { site }) });
    // A link elsewhere may lead to the first page, which shows nothing without the cookie; as a picture or a frame of
    // another page it would only use up the requests of its owner.
    if (!own && !(isFirst && origin === undefined))
      return c.json({ error: 'Only pages of this studio may do that' }, 403);
    if (c.req.url.length > MOST_ADDRESS) return c.json({ error: 'The address is too long' }, 414);
    if (rate.isTooMuch()) return c.json({ error: 'Too many requests: wait a moment' }, 429, { 'Retry-After': '2' });
    return next();
  };
}

/** Who is in: a browser with the cookie that the token of the terminal was exchanged for. */
class Sessions {
  constructor(private readonly door: Pick<Door, 'port' | 'tokens' | 'onUsedToken'>) {}

  /** Exchanges the token in the address for the cookie. */
  readonly entrance: MiddlewareHandler<Env> = async (c, next) => {
    const given = c.req.query('token');
    if (given === undefined) return next();
    const session = this.door.tokens.exchange(given);
    if (session !== undefined) {
      c.header('Set-Cookie', `${this.#cookie}=${session}; Path=/; HttpOnly; SameSite=Strict`);
      return c.html(FORWARD);
    }
    if (this.#isIn(c.req.header('cookie'))) return c.redirect('/');
    this.door.onUsedToken();
    return c.html(notice('This address was used already', 'The terminal shows a new one now: open that.'), 401);
  };

  /** Turns away whoever has no cookie. */
  readonly only: MiddlewareHandler<Env> = async (c, next) => {
    if (this.#isIn(c.req.header('cookie'))) return next();
    if (!c.req.path.startsWith('/api/') && c.req.method === 'GET')
      return c.html(notice('The studio is closed to strangers', 'Open the address that its terminal shows.'), 401);
    return c.json({ error: 'Open the address that the terminal shows: this needs its cookie' }, 401);
  };

  /** The cookie's name: studios on other ports have their own. */
  get #cookie(): string {
    return `clipvq-studio-${this.door.port()}`;
  }

  #isIn(header: string | undefined): boolean {
    return this.door.tokens.isSession(cookieIn(header, this.#cookie));
  }
}

/** The files of the page. */
function files(pages: Pages): Handler<Env> {
  return (c) => {
    const file = pages.file(c.req.path);
    if (!file) {
      if (c.req.path !== '/' || pages.isBuilt) throw new Missing('There is nothing at this address');
      return c.html(notice('The page is not built', 'Build it with: node scripts/setup.mjs'), 503);
    }
    const headers = { 'Content-Type': file.type, 'Cache-Control': 'no-cache', ETag: file.tag };
    if (c.req.header('if-none-match') === file.tag) return c.body(null, 304, headers);
    return c.body(new Uint8Array(file.bytes), 200, headers);
  };
}

function statusOf(error: unknown): 400 | 404 | 413 | 429 | 500 {
  if (error instanceof Missing) return 404;
  if (error instanceof TooMany) return 429;
  if (error instanceof TooLarge) return 413;
  return error instanceof UserError ? 400 : 500;
}

function cookieIn(header: string | undefined, name: string): string | undefined {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** A page of its own leads on: after a redirection from elsewhere a strict cookie would not be sent. */
const FORWARD =
  '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/"><title>Studio</title><p><a href="/">Open the studio</a></p></html>';

const notice = (title: string, text: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><h1>${title}</h1><p>${text}</p></html>`;
