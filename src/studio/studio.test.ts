/** The studio from end to end over its addresses: what a page does, without the page. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import yazl from 'yazl';
import { Browser, startTinyStudio, writeStudioModel } from '../../test/support/studio.ts';
import { encodePng } from '../data/pictures/png.ts';
import { readPngText } from '../data/pictures/read-png-text.ts';
import { presets as allPresets } from '../recipe/recipe.ts';
import type { RunningStudio } from './http/server.ts';
import { costKey } from './presets.ts';
import type {
  DataCheck,
  DataEntry,
  DataFolder,
  DataList,
  Imported,
  Job,
  JobList,
  ModelFacts,
  Picture,
  PictureList,
  PresetList,
  ReportList,
  Run,
  RunComparison,
  RunDetails,
  RunList,
  StudioState,
} from './protocol.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-studio-'));
const photos = path.join(folder, 'photos');
let running: RunningStudio;
let browser: Browser;

const picture = async (shade: number, side = 24) =>
  Buffer.from(await encodePng({ width: side, height: side, data: new Uint8Array(3 * side * side).fill(shade) }, {}));

async function open(): Promise<void> {
  running = await startTinyStudio(folder, { data: [photos] });
  browser = await Browser.open(running.address);
}

beforeAll(async () => {
  fs.mkdirSync(path.join(photos, 'red'), { recursive: true });
  for (let i = 0; i < 3; i++) fs.writeFileSync(path.join(photos, 'red', `${i}.png`), await picture(60 * i));
  fs.writeFileSync(path.join(photos, 'red', 'notes.jpg'), 'no picture');
  fs.symlinkSync(os.homedir(), path.join(photos, 'out'));
  await open();
});
afterAll(async () => {
  await running?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const request = (request: object) => browser.post<Job>('/api/jobs', request);
const drawn = async (what: object): Promise<Job> => browser.until((await request(what)).id, 'done');
const pictureOf = (id: string) => browser.get<Picture>(`/api/pictures/${id}`);
const bytesOf = async (address: string) => Buffer.from(await (await browser.fetch(address)).arrayBuffer());

describe('the forms', () => {
  it('come out of the schema of the recipe and the registry of the samplers', async () => {
    const { settings, samplers, model } = await browser.get<StudioState>('/api/state');
    const named = Object.fromEntries(settings.map((one) => [one.name, one]));
    expect(named.truncation).toMatchObject({ kind: 'number', least: 0, isAbove: true, most: 1, value: 0.9 });
    expect(named.steps).toMatchObject({ kind: 'whole', least: 1, most: 7, value: 4 });
    expect(named.remasking).toMatchObject({ samplers: ['remask'] });
    expect(named.sampler?.choices).toEqual(samplers.map(({ name }) => name));
    expect(settings.every(({ description }) => description.length > 0)).toBe(true);
    expect(model).toMatchObject({ name: 'model', imageSize: 16, grid: 8 });
  });

  it('know what training costs here, and compute it once', async () => {
    // Large ones take seconds to trace.
    const stages = [{ stage: 'tokenizer', steps: 10, seconds: 100 }];
    const cost = { parameters: 1, memoryGB: 1, stages, secondsPerPicture: 1, range: [0.5, 2] };
    const kept = Object.keys(allPresets).flatMap((name) =>
      name === 'nano' ? [] : [[costKey(name, '0.0.0'), cost] as const],
    );
    fs.writeFileSync(path.join(folder, 'studio', 'costs.json'), JSON.stringify(Object.fromEntries(kept)));
    const { presets, speed } = await browser.get<PresetList>('/api/presets?data=faces');
    expect(speed).toBeGreaterThan(0);
    expect(presets.find(({ name }) => name === 'nano')).toMatchObject({ imageSize: 64, codes: 256 });
    const base = presets.find(({ name }) => name === 'base')!;
    expect(base.seconds * speed).toBeCloseTo(100, 6);
    expect(base.range[1]).toBeCloseTo(2 * base.seconds, 6);
    expect(presets.every(({ seconds, memoryGB }) => seconds > 0 && memoryGB > 0)).toBe(true);
  });
});

describe('drawing', () => {
  it('shows pictures on their way, with what is still masked, and keeps them with their settings', async () => {
    const job = await request({
      kind: 'create',
      prompt: 'a <b>red</b> face',
      count: 2,
      seed: 5,
      settings: { steps: 3 },
    });
    const seen: string[][] = [];
    for await (const event of browser.events()) {
      if (event.type === 'preview') seen.push(event.preview.frames.map(({ masked }) => masked));
      if (event.type === 'job' && event.job.state === 'done') break;
    }
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.at(-1)).toEqual(['0'.repeat(64), '0'.repeat(64)]);
    const { pictures } = await browser.until(job.id, 'done');
    const [first, second] = await Promise.all(pictures.map(pictureOf));
    expect(first).toMatchObject({ kind: 'create', prompt: 'a <b>red</b> face', seed: 5, width: 16, job: job.id });
    expect(first?.settings).toMatchObject({ steps: 3, guidanceScale: 2 });
    expect(second?.seed).toBe(6);
    expect(readPngText(await bytesOf(`/api/pictures/${first?.id}.png`))).toMatchObject({ Seed: '5' });
  });

  it('draws the same picture again from the same seed, alone or as the best of several', async () => {
    const bytes = async (what: object) => {
      const [id] = (await drawn({ kind: 'create', prompt: 'a hat', ...what })).pictures;
      return { bytes: await bytesOf(`/api/pictures/${id}.png`), facts: await pictureOf(id!) };
    };
    const best = await bytes({ seed: 40, bestOf: 3 });
    const alone = await bytes({ seed: best.facts.seed });
    expect(best.facts.bestOf).toBe(3);
    expect(alone.bytes.equals(best.bytes)).toBe(true);
  });

  it('varies, repaints and interpolates pictures of the history', async () => {
    const [start] = (await drawn({ kind: 'create', prompt: 'a hat', seed: 1 })).pictures;
    const varied = await drawn({ kind: 'vary', picture: start, strength: 0.4, count: 2, seed: 3 });
    expect(await pictureOf(varied.pictures[1]!)).toMatchObject({ kind: 'vary', parents: [start], strength: 0.4 });
    const mask = '1'.repeat(8) + '0'.repeat(56);
    const painted = await drawn({ kind: 'repaint', picture: start, mask, prompt: 'a red hat' });
    expect(await pictureOf(painted.pictures[0]!)).toMatchObject({ kind: 'repaint', mask, prompt: 'a red hat' });
    const ends = { from: { prompt: 'a hat' }, to: { picture: start } };
    const between = await drawn({ kind: 'interpolate', ...ends, frames: 3, seed: 2 });
    expect(between.pictures).toHaveLength(3);
    const animation = await browser.fetch(`/api/jobs/${between.id}/animation.webp`);
    expect(animation.headers.get('content-type')).toBe('image/webp');
    expect(
      Buffer.from(await animation.arrayBuffer())
        .subarray(8, 12)
        .toString(),
    ).toBe('WEBP');
  });

  it('refuses at once what the model cannot do', async () => {
    const refused = (body: object) =>
      browser.refusal('/api/jobs', {
        method: 'POST',
        body: JSON.stringify({ kind: 'create', prompt: 'a', ...body }),
        headers: { 'content-type': 'application/json' },
      });
    expect(await refused({ settings: { steps: 70 } })).toEqual([400, expect.stringMatching(/steps/)]);
    expect(await refused({ settings: { remasking: 0.1 } })).toEqual([400, expect.stringMatching(/remasking/)]);
    expect(await refused({ settings: { constructor: 1 } })).toEqual([400, expect.stringMatching(/no setting/)]);
    expect(await refused({ prompt: '  ' })).toEqual([400, expect.stringMatching(/prompt/)]);
    expect(await refused({ negative: 'a' })).toEqual([400, expect.stringMatching(/negative prompt/)]);
    expect(await refused({ kind: 'vary', picture: 'gone', strength: 0.5, prompt: undefined })).toEqual([
      404,
      expect.stringMatching(/no picture/),
    ]);
  });
});

describe('the queue', () => {
  it('keeps order, lets jobs be moved, held back and cancelled, and shows a reloaded page where it is', async () => {
    const long = { kind: 'create', prompt: 'long', count: 32, settings: { steps: 7 } };
    const first = await request(long);
    const [second, third] = [await request({ ...long, prompt: 'second' }), await request({ ...long, prompt: 'third' })];
    const { jobs } = await browser.post<JobList>(`/api/jobs/${third.id}/move`, { before: second.id });
    expect(jobs.slice(0, 3).map(({ id }) => id)).toEqual([first.id, third.id, second.id]);
    await browser.post(`/api/jobs/${third.id}/pause`);
    await browser.post(`/api/jobs/${first.id}/pause`);
    const halted = await browser.until(first.id, 'paused');
    expect(halted.progress?.done ?? 0).toBeLessThan(14);
    // A paused drawing lets others pass, and goes on where it was.
    await browser.until(second.id, 'running', 'done');
    await browser.remove(`/api/jobs/${second.id}`);
    await browser.post(`/api/jobs/${first.id}/resume`);
    await browser.remove(`/api/jobs/${third.id}`);
    expect((await browser.until(third.id, 'cancelled')).pictures).toEqual([]);
    // Another page finds the job, and its preview while it runs.
    for await (const event of browser.events()) {
      if (event.type !== 'present') continue;
      expect(event.jobs.find(({ id }) => id === first.id)?.title).toBe('long');
      break;
    }
    expect((await browser.until(first.id, 'done')).pictures).toHaveLength(32);
    await browser.remove(`/api/jobs/${first.id}`);
    expect((await browser.get<JobList>('/api/jobs')).jobs.some(({ id }) => id === first.id)).toBe(false);
  });
});

describe('the history', () => {
  it('is searched, rated and paged, the newest first', async () => {
    await drawn({ kind: 'create', prompt: 'Green shoe', count: 3, seed: 9 });
    const all = await browser.get<PictureList>('/api/pictures?search=green&limit=2');
    expect(all).toMatchObject({ total: 3, next: all.pictures[1]!.id });
    expect(all.pictures.map(({ seed }) => seed)).toEqual([11, 10]);
    const rest = await browser.get<PictureList>(`/api/pictures?search=green&limit=2&before=${all.next}`);
    expect(rest.pictures.map(({ seed }) => seed)).toEqual([9]);
    await browser.post(`/api/pictures/${rest.pictures[0]!.id}`, { rating: 4, isKept: true });
    const rated = await browser.get<PictureList>('/api/pictures?rating=3&kept=1');
    expect(rated.pictures.map(({ id }) => id)).toEqual([rest.pictures[0]!.id]);
    await browser.remove(`/api/pictures/${all.pictures[0]!.id}`);
    expect((await browser.refusal(`/api/pictures/${all.pictures[0]!.id}.png`))[0]).toBe(404);
  });

  it('takes in a picture of ours with its settings, and any other as a start', async () => {
    const [id] = (await drawn({ kind: 'create', prompt: 'ein Hütchen', seed: 7, settings: { truncation: 0.5 } }))
      .pictures;
    const ours = new Uint8Array(await bytesOf(`/api/pictures/${id}.png`));
    const back = await browser.send<Imported>('/api/pictures/import?name=x.png', ours);
    expect(back).toMatchObject({ isOurs: true, notes: [] });
    expect(back.picture).toMatchObject({
      kind: 'import',
      prompt: 'ein Hütchen',
      seed: 7,
      settings: { truncation: 0.5 },
    });
    const other = await browser.send<Imported>(
      '/api/pictures/import?name=..%2F..%2Fcat.png',
      new Uint8Array(await picture(90)),
    );
    expect(other).toMatchObject({ isOurs: false, picture: { prompt: 'cat', width: 24 } });
    const { pictures } = await drawn({ kind: 'vary', picture: other.picture.id, strength: 0.5 });
    expect(pictures).toHaveLength(1);
  });
});

describe('data', () => {
  it('is listed by ids under the roots, without links that lead out, and checked', async () => {
    const { roots } = await browser.get<DataList>('/api/data');
    const { entries } = await browser.get<DataFolder>(`/api/data/${roots[0]!.id}`);
    expect(entries.map(({ name }) => name)).toEqual(['red']);
    const [red] = entries;
    expect(red?.pictures).toBe(4);
    await drawn({ kind: 'check', data: red!.id });
    const check = await browser.get<DataCheck>(`/api/data/${red!.id}/check`);
    expect(check).toMatchObject({ accepted: 3, hasSheet: true, tiny: { count: 3 } });
    expect(check.examples).toEqual([{ name: 'notes.jpg', reason: expect.any(String) }]);
    expect((await bytesOf(`/api/data/${red!.id}/sheet.png`)).subarray(1, 4).toString()).toBe('PNG');
  });

  it('may be uploaded as a zip, of which names are only names', async () => {
    const zip = new yazl.ZipFile();
    zip.addBuffer(await picture(10), 'a/one.png');
    zip.addBuffer(await picture(20), 'two.png');
    zip.end();
    const chunks: Buffer[] = [];
    for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
    const set = await browser.send<DataEntry>(
      '/api/data/upload?name=%3Cb%3E.zip',
      new Uint8Array(Buffer.concat(chunks)),
    );
    expect(set).toMatchObject({ kind: 'set', name: '<b>', pictures: 2 });
    expect((await browser.get<DataList>('/api/data')).sets).toEqual([set]);
    await browser.remove(`/api/data/${set.id}`);
    expect((await browser.get<DataList>('/api/data')).sets).toEqual([]);
  });
});

/** A run of seconds, whose diffusion stage takes longer than the test. */
const TINY = {
  ...{ imageSize: '16', images: '16', 'tokenizer.perceptualWeight': '0', 'tokenizer.autoencoderFraction': '0' },
  ...{ 'tokenizer.steps': '8', 'tokenizer.channels': '8', 'tokenizer.channelMultipliers': '[1]' },
  ...{ 'tokenizer.codes': '32' },
  ...{ 'diffusion.timesteps': '25', 'diffusion.steps': '1000000', 'diffusion.batch': '4', 'diffusion.layers': '1' },
  ...{ 'diffusion.dim': '32', 'diffusion.heads': '2', 'sampling.steps': '4' },
};
const runOf = async (id: string): Promise<Run> => (await browser.get<RunDetails>(`/api/runs/${id}`)).run;

describe('training', () => {
  it('survives the studio, is found again, pauses with a checkpoint and goes on', async () => {
    const job = await request({
      kind: 'train',
      data: 'faces',
      preset: 'nano',
      name: 'tiny',
      clip: 'shipped',
      changes: TINY,
    });
    await browser.until(job.id, 'running');
    // Its numbers arrive while it trains.
    for await (const event of browser.events())
      if (event.type === 'run' && event.numbers.some(({ stage }) => stage === 'diffusion')) break;
    await running.close();
    await open();
    const [found] = (await browser.get<JobList>('/api/jobs')).jobs;
    expect(found).toMatchObject({ kind: 'resume', title: 'tiny', run: job.run });
    expect(await runOf(job.run!)).toMatchObject({ state: 'training', canPause: true });
    await browser.post(`/api/jobs/${found!.id}/pause`);
    await browser.until(found!.id, 'paused');
    const stopped = await runOf(job.run!);
    expect(stopped.state).toBe('stopped');
    const at = stopped.stages.find(({ name }) => name === 'diffusion')!.step;
    expect(at).toBeGreaterThan(0);
    await browser.post(`/api/runs/${job.run}/resume`);
    for await (const event of browser.events())
      if (event.type === 'run' && event.numbers.some(({ step }) => step > at)) break;
    await browser.remove(`/api/jobs/${found!.id}`);
    await browser.until(found!.id, 'cancelled');
  }, 300_000);

  it('shows curves, codebook use, settings, sheets and log, and compares runs', async () => {
    const { runs } = await browser.get<RunList>('/api/runs');
    const details = await browser.get<RunDetails>(`/api/runs/${runs[0]!.id}`);
    expect(details.curves.map(({ stage, name }) => `${stage} ${name}`)).toContain('diffusion loss');
    expect(details.curves.find(({ name }) => name === 'loss')?.description).toBe('what is minimised');
    expect(details.codebook).toMatchObject({ codes: 32 });
    expect(details.settings['diffusion.dim']).toBe('32');
    expect(details.sheets.map(({ name }) => name)).toContain('tokenizer-0000008.png');
    const sheet = await bytesOf(`/api/runs/${runs[0]!.id}/sheets/tokenizer-0000008.png`);
    expect(sheet.subarray(1, 4).toString()).toBe('PNG');
    expect(details.log.length).toBeGreaterThan(0);
    fs.cpSync(path.join(folder, 'runs', 'tiny'), path.join(folder, 'runs', 'other'), { recursive: true });
    const [a, b] = (await browser.get<RunList>('/api/runs')).runs;
    const compared = await browser.get<RunComparison>(`/api/runs/compare?a=${a!.id}&b=${b!.id}`);
    expect(compared.differences).toEqual([]);
    expect(compared.curves.a).toHaveLength(compared.curves.b.length);
  });
});

describe('the model', () => {
  it('may be a run, and again the one that the studio was started with', async () => {
    writeStudioModel(path.join(folder, 'runs', 'finished'));
    const { runs } = await browser.get<RunList>('/api/runs');
    const { id } = runs.find(({ name }) => name === 'finished')!;
    expect(await browser.post<ModelFacts>('/api/model', { run: id })).toMatchObject({ run: id, name: 'finished' });
    expect((await drawn({ kind: 'create', prompt: 'a hat' })).pictures).toHaveLength(1);
    expect(await browser.post<ModelFacts>('/api/model', { run: null })).toMatchObject({ name: 'model' });
  });
});

describe('reports', () => {
  it('are made by a job, with every number by its path, and as a page without scripts', async () => {
    const { roots } = await browser.get<DataList>('/api/data');
    const { report } = await drawn({ kind: 'evaluate', data: roots[0]!.id, pictures: 3, prompts: ['a hat'], count: 1 });
    const { reports } = await browser.get<ReportList>('/api/reports');
    expect(reports).toMatchObject([{ id: report, model: 'model', data: 'photos', hasPage: true }]);
    expect(Object.keys(reports[0]!.numbers).some((name) => /psnr/i.test(name))).toBe(true);
    const page = await browser.fetch(`/api/reports/${report}/page`);
    expect(page.headers.get('content-security-policy')).toMatch(/^sandbox; default-src 'none'/);
  });
});

describe('a restart', () => {
  it('keeps pictures, ratings and reports, and writes nowhere but in its folder and that of the runs', async () => {
    const [id] = (await drawn({ kind: 'create', prompt: 'kept' })).pictures;
    await browser.post(`/api/pictures/${id}`, { rating: 5 });
    const { reports } = await browser.get<ReportList>('/api/reports');
    await running.close();
    await open();
    const { pictures } = await browser.get<PictureList>('/api/pictures?rating=5');
    expect(pictures).toMatchObject([{ id, prompt: 'kept', rating: 5 }]);
    expect(await browser.get<ReportList>('/api/reports')).toEqual({ reports });
    expect(fs.readdirSync(folder).sort()).toEqual(['model', 'photos', 'runs', 'studio']);
  });

  it('begins anew what waited or was under way, in its order and with its seeds, and keeps no picture twice', async () => {
    writeStudioModel(path.join(folder, 'runs', 'painter'));
    const chosen = (await browser.get<RunList>('/api/runs')).runs.find(({ name }) => name === 'painter')!;
    await running.studio.ready();
    await browser.post('/api/model', { run: chosen.id });
    const long = await request({ kind: 'create', prompt: 'left off', count: 48 });
    const short = { kind: 'create', count: 1 };
    const second = await request({ ...short, prompt: 'second' });
    const third = await request({ ...short, prompt: 'third' });
    const fourth = await request({ ...short, prompt: 'fourth' });
    await browser.post(`/api/jobs/${third.id}/move`, { before: second.id });
    await browser.post(`/api/jobs/${third.id}/pause`);
    await browser.remove(`/api/jobs/${fourth.id}`);
    for await (const event of browser.events())
      if (event.type === 'job' && event.job.id === long.id && event.job.pictures.length > 0) break;
    await running.close();
    const file = path.join(folder, 'studio', 'queue.json');
    const kept = JSON.parse(fs.readFileSync(file, 'utf8')) as { jobs: unknown[] };
    fs.writeFileSync(file, JSON.stringify({ ...kept, jobs: [{ request: { kind: 'nonsense' } }, ...kept.jobs] }));
    await open();
    const { jobs } = await browser.get<JobList>('/api/jobs');
    expect(jobs.map(({ id }) => id)).toEqual([long.id, third.id, second.id]);
    expect(jobs.map(({ request: { kind }, state }) => [kind, state]).slice(1)).toEqual([
      ['create', 'paused'],
      ['create', 'waiting'],
    ]);
    expect((await browser.get<StudioState>('/api/state')).model.run).toBe(chosen.id);
    const { pictures } = await browser.until(long.id, 'done');
    const { total, pictures: all } = await browser.get<PictureList>(`/api/pictures?job=${long.id}&limit=200`);
    const { seed } = long.request as { seed: number };
    expect([pictures.length, total]).toEqual([48, 48]);
    expect(all.map((one) => one.seed! - seed).sort((a, b) => a - b)).toEqual(Array.from({ length: 48 }, (_, i) => i));
    await browser.until(second.id, 'done');
    await browser.post(`/api/jobs/${third.id}/resume`);
    await browser.until(third.id, 'done');
    expect((await browser.get<PictureList>('/api/pictures?search=fourth')).total).toBe(0);
  });

  it('is refused to a second studio on the same folder', async () => {
    await expect(startTinyStudio(folder)).rejects.toThrow(/in use by another studio/);
  });
});
