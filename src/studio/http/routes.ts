/** The addresses of the studio, as `protocol.ts` lists them. */

import { Hono } from 'hono';
import { UserError } from '../../base/errors.ts';
import { allData, dataOf } from '../data/data.ts';
import { animationOf } from '../history/animation.ts';
import { importPicture } from '../history/import.ts';
import { begin, goOn } from '../jobs/begin.ts';
import { presetList } from '../presets.ts';
import type { JobList, ReportList, RunList } from '../protocol.ts';
import { Missing } from '../refusals.ts';
import { compareRuns, runDetails } from '../runs/details.ts';
import { limits } from '../state.ts';
import { bodyOf, bytesOf, type Env, jsonOf, png } from './context.ts';
import { streamEvents } from './events-route.ts';
import { REPORT_HEADERS } from './guard.ts';
import { parseJob, parseModelChoice, parseMove, parsePictureChange, parseSearch } from './requests.ts';

/** What answers under `/api`. Mistakes are thrown: the app makes answers of them. */
export function routes(): Hono<Env> {
  const app = new Hono<Env>();
  app.get('/state', (c) => c.json(c.var.studio.state));
  app.get('/events', (c) => streamEvents(c));
  app.post('/model', async (c) => c.json(c.var.studio.choose(parseModelChoice(await jsonOf(c)).run)));
  app.get('/presets', async (c) => c.json(await presetList(c.var.studio, c.req.query('data') || undefined)));
  jobRoutes(app);
  pictureRoutes(app);
  dataRoutes(app);
  runRoutes(app);
  return app;
}

function jobRoutes(app: Hono<Env>): void {
  app.get('/jobs', (c) => c.json({ jobs: c.var.studio.jobs.list } satisfies JobList));
  app.post('/jobs', async (c) => c.json(begin(c.var.studio, parseJob(await jsonOf(c))), 201));
  app.delete('/jobs/:id', async (c) => {
    await c.var.studio.jobs.cancel(c.req.param('id'));
    return c.json({});
  });
  app.post('/jobs/:id/move', async (c) => {
    const { before } = parseMove(await jsonOf(c));
    return c.json({ jobs: c.var.studio.jobs.move(c.req.param('id'), before) } satisfies JobList);
  });
  app.post('/jobs/:id/pause', (c) => c.json(c.var.studio.jobs.pause(c.req.param('id'))));
  app.post('/jobs/:id/resume', (c) => c.json(c.var.studio.jobs.resume(c.req.param('id'))));
  app.get('/jobs/:id/animation.webp', async (c) => {
    const bytes = await animationOf(c.var.studio, c.req.param('id'));
    return c.body(new Uint8Array(bytes), 200, { 'Content-Type': 'image/webp', 'Cache-Control': 'no-store' });
  });
}

function pictureRoutes(app: Hono<Env>): void {
  app.get('/pictures', (c) => c.json(c.var.studio.history.search(parseSearch(c.req.query()))));
  app.post('/pictures/import', async (c) => {
    const bytes = await bytesOf(c, limits.pictureBytes);
    return c.json(await importPicture(c.var.studio, c.req.query('name') ?? '', bytes), 201);
  });
  app.get('/pictures/:file', (c) => {
    const { history } = c.var.studio;
    const [, id = '', ending] = /^([0-9a-z]+)(\.png)?$/.exec(c.req.param('file')) ?? [];
    if (ending === undefined) return c.json(history.get(id));
    const disposition =
      c.req.query('download') === '1' ? { 'Content-Disposition': `attachment; filename="${id}.png"` } : {};
    // A picture never changes under its id.
    return png(c, history.file(id), { 'Cache-Control': 'private, max-age=31536000, immutable', ...disposition });
  });
  app.post('/pictures/:id', async (c) => {
    const { history, events } = c.var.studio;
    const picture = history.change(c.req.param('id'), parsePictureChange(await jsonOf(c)));
    events.publish({ type: 'picture', picture });
    return c.json(picture);
  });
  app.delete('/pictures/:id', (c) => {
    const { history, events } = c.var.studio;
    const id = c.req.param('id');
    history.remove(id);
    events.publish({ type: 'picture-gone', id });
    return c.json({});
  });
}

function dataRoutes(app: Hono<Env>): void {
  app.get('/data', (c) => c.json(allData(c.var.studio)));
  app.post('/data/upload', async (c) => {
    const { sets, events } = c.var.studio;
    const entry = await sets.upload(c.req.query('name') ?? '', bodyOf(c, limits.setBytes));
    events.publish({ type: 'data' });
    return c.json(entry, 201);
  });
  app.get('/data/:id', (c) => c.json(c.var.studio.places.list(c.req.param('id'))));
  app.get('/data/:id/check', (c) => c.json(c.var.studio.checks.get(c.req.param('id'))));
  app.get('/data/:id/sheet.png', (c) => png(c, c.var.studio.checks.sheet(c.req.param('id'))));
  app.delete('/data/:id', (c) => {
    const { sets, events } = c.var.studio;
    const id = c.req.param('id');
    if (dataOf(c.var.studio, id).kind !== 'set') throw new UserError('Only uploaded sets can be deleted here');
    sets.remove(id);
    events.publish({ type: 'data' });
    return c.json({});
  });
}

function runRoutes(app: Hono<Env>): void {
  app.get('/runs', (c) => c.json({ runs: c.var.studio.runs.list() } satisfies RunList));
  app.get('/runs/compare', (c) => {
    const { a = '', b = '' } = c.req.query();
    if (a === b) throw new UserError('A run is compared with itself: name two runs');
    return c.json(compareRuns(a, b, c.var.studio.details));
  });
  app.get('/runs/:id', (c) => c.json(runDetails(c.req.param('id'), c.var.studio.details)));
  app.get('/runs/:id/sheets/:name', (c) => png(c, c.var.studio.runs.sheet(c.req.param('id'), c.req.param('name'))));
  app.post('/runs/:id/pause', (c) => {
    const { jobs, runs } = c.var.studio;
    const run = runs.get(c.req.param('id'));
    const job = jobs.list.find((one) => one.run === run.id && ['waiting', 'running'].includes(one.state));
    if (!job) throw new UserError(`${run.name} is not trained by this studio: stop it where it was started`);
    jobs.pause(job.id);
    return c.json(run);
  });
  app.post('/runs/:id/resume', (c) => c.json(goOn(c.var.studio, c.req.param('id')), 201));
  app.get('/reports', (c) => c.json({ reports: c.var.studio.reports.list() } satisfies ReportList));
  app.get('/reports/:id/page', (c) => {
    const bytes = new Uint8Array(c.var.studio.reports.page(c.req.param('id')));
    return c.body(bytes, 200, { 'Content-Type': 'text/html; charset=utf-8', ...REPORT_HEADERS });
  });
  app.delete('/reports/:id', (c) => {
    c.var.studio.reports.remove(c.req.param('id'));
    c.var.studio.events.publish({ type: 'reports' });
    return c.json({});
  });
  app.all('*', () => {
    throw new Missing('There is nothing at this address');
  });
}
