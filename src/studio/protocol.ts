/**
 * What the page of the studio and its server exchange, as types alone: this file runs anywhere and imports nothing.
 *
 * Every address below needs the cookie that `GET /?token=…` sets. JSON goes in and comes out, but for pictures, uploads
 * and events. What cannot be done is answered by a status from 400 on and a `Failure`. Ids are letters and digits;
 * nothing takes a path.
 *
 * ```
 * GET    /api/state                      StudioState
 * GET    /api/events                     server-sent events: each message is one StudioEvent, with an id; the first,
 *                                        also after reconnecting, is `present`
 *
 * POST   /api/jobs                       JobRequest -> Job                      201
 * DELETE /api/jobs/:id                   cancel one, or take a finished one off the list -> { }
 * POST   /api/jobs/:id/move              Move -> JobList
 * POST   /api/jobs/:id/pause             -> Job   drawing halts before its next step; training stops with a checkpoint
 * POST   /api/jobs/:id/resume            -> Job
 * GET    /api/jobs/:id/animation.webp    the pictures of a finished interpolation
 *
 * GET    /api/pictures?search=&rating=&kept=1&kind=&job=&before=&limit=     PictureList, newest first
 * GET    /api/pictures/:id               Picture
 * GET    /api/pictures/:id.png           the file; with ?download=1 as an attachment
 * POST   /api/pictures/:id               PictureChange -> Picture
 * DELETE /api/pictures/:id               -> { }
 * POST   /api/pictures/import?name=…     the bytes of a picture file -> Imported      201
 *
 * GET    /api/presets?data=              PresetList; the first call measures the machine and takes seconds
 * GET    /api/data                       DataList: roots, uploaded sets, built-in sources
 * GET    /api/data/:id                   DataFolder: what lies in a folder
 * GET    /api/data/:id/check             DataCheck of the last `check` job of it; 404 before
 * GET    /api/data/:id/sheet.png         pictures of it, after such a job
 * POST   /api/data/upload?name=…         the bytes of a zip -> DataEntry        201
 * DELETE /api/data/:id                   an uploaded set -> { }
 *
 * GET    /api/runs                       RunList
 * GET    /api/runs/compare?a=&b=         RunComparison
 * GET    /api/runs/:id                   RunDetails
 * GET    /api/runs/:id/sheets/:name      a sheet as PNG, by the name that RunDetails gives
 * POST   /api/runs/:id/pause             -> Run   the same as pausing its job
 * POST   /api/runs/:id/resume            -> Job
 * POST   /api/model                      ModelChoice -> ModelFacts: what Create draws with from here on
 *
 * GET    /api/reports                    ReportList
 * GET    /api/reports/:id/page           the report as a page of its own, without scripts
 * DELETE /api/reports/:id                -> { }
 * ```
 */

export type * from './protocol/basics.ts';
export type * from './protocol/data.ts';
export type * from './protocol/events.ts';
export type * from './protocol/jobs.ts';
export type * from './protocol/pictures.ts';
export type * from './protocol/reports.ts';
export type * from './protocol/runs.ts';
export type * from './protocol/state.ts';
