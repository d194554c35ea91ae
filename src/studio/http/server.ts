/** The studio as a server on a port. */

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { UserError } from '../../base/errors.ts';
import { systemCode } from '../../files/file-errors.ts';
import { restoreQueue } from '../jobs/restore.ts';
import { Studio, type StudioOptions } from '../studio.ts';
import { studioApp } from './app.ts';
import { Tokens } from './guard.ts';
import { Pages, pageFolder } from './pages.ts';

export interface ServeOptions extends StudioOptions {
  /** 127.0.0.1 by default: only this machine. */
  readonly host?: string | undefined;
  /** 0 is any that is free. */
  readonly port: number;
  /** Where the built page is; by default that of this package. */
  readonly pages?: string | undefined;
  /** Called with a new address when a used one is opened again. */
  readonly onAddress?: ((address: string) => void) | undefined;
  /** Called with what is a fault of the studio. */
  readonly onFault?: ((error: unknown) => void) | undefined;
}

export interface RunningStudio {
  /** With the one-time token. */
  readonly address: string;
  readonly port: number;
  readonly isPageBuilt: boolean;
  readonly studio: Studio;
  /** Ends the server; trainings go on. */
  close(): Promise<void>;
}

/** Milliseconds in which a request's headers, and all of an upload, must have arrived. */
const [HEADERS, REQUEST] = [10_000, 30 * 60_000];
const MOST_CONNECTIONS = 512;

/**
 * Start the studio.
 * @throws UserError as `Studio` does, and if the port cannot be had.
 */
export async function serveStudio(options: ServeOptions): Promise<RunningStudio> {
  const { host = '127.0.0.1', port: wanted, onAddress, onFault } = options;
  const tokens = new Tokens();
  const pages = new Pages(options.pages ?? pageFolder());
  let port = wanted;
  const shown = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  const address = () => `http://${shown}:${port}/?token=${tokens.token}`;
  let app: ReturnType<typeof studioApp> | undefined;
  // Without options of HTTPS it is a server of plain HTTP.
  const server = createAdaptorServer({
    fetch: (request, env) => app?.fetch(request, env) ?? new Response(null, { status: 503 }),
    ...{ overrideGlobalObjects: false, hostname: shown },
  }) as Server;
  server.headersTimeout = HEADERS;
  server.requestTimeout = REQUEST;
  server.maxConnections = MOST_CONNECTIONS;
  // A port that is taken is known before a model is loaded.
  port = await listening(server, host, wanted);
  const studio = opened(options, server);
  app = studioApp({
    ...{ studio, host, tokens, pages, port: () => port },
    onUsedToken: () => onAddress?.(address()),
    onFault: (error) => onFault?.(error),
  });
  restoreQueue(studio);
  return {
    ...{ address: address(), port, isPageBuilt: pages.isBuilt, studio },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await studio.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function opened(options: StudioOptions, server: Server): Studio {
  try {
    return new Studio(options);
  } catch (error) {
    server.close();
    throw error;
  }
}

function listening(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const code = systemCode(error);
      if (code === 'EADDRINUSE')
        reject(new UserError(`Port ${port} is taken: choose another one, or 0 for any that is free`));
      else reject(new UserError(`Cannot listen on ${host}, port ${port}: ${error.message}`));
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}
