/**
 * The exported pages in a real browser: a tiny model with random weights draws what it draws on Node, from a static
 * site without headers and from one file on the disk.
 */

import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { hasBrowser, openBrowser, WITH_WEBGPU } from '../../test/support/browser.ts';
import { listenOnLoopback } from '../../test/support/loopback.ts';
import { tinyRecipe, writeTinyRun } from '../../test/support/tiny-model.ts';
import { readPngText } from '../data/pictures/read-png-text.ts';
import { Generator } from '../generation/generator.ts';
import { RunDirectory } from '../run/directory.ts';
import { exportHtml, exportSite } from './web.ts';

const PROMPT = 'a red face <b>&"';
const COUNT = 3;
/** Milliseconds that a busy machine may take for a test. */
const TIME = 300_000;
vi.setConfig({ testTimeout: TIME, hookTimeout: TIME });
const present = hasBrowser('the pages of clipvq export in a browser');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'publish-'));
const site = path.join(folder, 'site');
const narrowSite = path.join(folder, 'narrow');
const file = path.join(folder, 'page.html');
const recipe = { ...tinyRecipe, sampling: { ...tinyRecipe.sampling, steps: 6 } };
/** Width of the networks of `narrow`. */
const WIDTH = 4;
/**
 * For WebGPU in software, which takes seconds to compile a kernel that multiplies matrices, whatever their size, unless
 * both are narrower than 8. There are 2 x 2 codes of 6.
 */
const narrow = {
  ...recipe,
  imageSize: 8,
  tokenizer: {
    ...recipe.tokenizer,
    ...{ patchSize: 4, channels: WIDTH, channelMultipliers: [1], residualBlocks: 1, normGroups: 2 },
    ...{ latentChannels: WIDTH, codeDim: WIDTH, codes: 6, middleAttention: false, attentionResolutions: [] },
  },
  diffusion: { ...recipe.diffusion, layers: 1, dim: WIDTH, heads: 1, mlpRatio: 1 },
};
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
};

let browser: Browser;
let address: string;
let expected: readonly Expected[];
/** Files that the server answers with an error. */
const broken = new Set<string>();

/** As simple a host as there is: no header but the type. */
const server = http.createServer(({ url = '/' }, response) => {
  const name = path.basename(url.endsWith('/') ? `${url}index.html` : url);
  const wanted = path.join(url.startsWith('/narrow/') ? narrowSite : site, name);
  if (!fs.existsSync(wanted) || [...broken].some((one) => name.startsWith(one)))
    return void response.writeHead(503).end();
  response.writeHead(200, { 'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream' });
  response.end(fs.readFileSync(wanted));
});

interface Expected {
  readonly tokens: readonly number[];
  readonly png: Buffer;
}

async function drawnOnNode(run: RunDirectory): Promise<readonly Expected[]> {
  const generator = await Generator.load(run.path, { threads: 1 });
  const pictures = await generator.generate(PROMPT, { seed: 7, count: COUNT });
  const drawn = await Promise.all(
    pictures.map(async (picture) => ({ tokens: [...picture.tokens], png: await generator.toPng(picture) })),
  );
  await generator.close();
  return drawn;
}

beforeAll(async () => {
  if (!present) return;
  const run = writeTinyRun(path.join(folder, 'run'), recipe);
  const options = { title: 'Tiny & <faces>', precision: 'float32' } as const;
  await exportSite(run, site, options);
  await exportHtml(run, file, options);
  expected = await drawnOnNode(run);
  address = `${await listenOnLoopback(server)}/`;
  // One for all pages: where none asks for WebGPU, it draws without a GPU too.
  browser = await openBrowser(WITH_WEBGPU);
});

afterAll(async () => {
  await browser?.close();
  server.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

interface Seen {
  readonly seed: number;
  readonly tokens: readonly number[];
  readonly png: readonly number[];
}

/** A page that keeps what it tells scripts of others, and what went wrong. */
async function openPage(
  url: string,
  gpu: 'passing' | 'there' = 'passing',
): Promise<{ page: Page; problems: string[]; seen(): Promise<Seen[]>; seeds(): Promise<number[]> }> {
  const context = await browser.newContext();
  context.setDefaultTimeout(TIME);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  await page.addInitScript(KEEP);
  if (gpu === 'passing') await page.addInitScript(PASSING);
  await page.goto(url);
  const seeds = () => page.evaluate<number[]>('kept.map(({ seed }) => seed)');
  return { page, problems, seen: () => page.evaluate<Seen[]>('kept'), seeds };
}

/** A script of somebody else's, which collects the pictures. */
const KEEP = `globalThis.kept = [];
document.addEventListener('clipvq:picture', ({ detail: { seed, tokens, png } }) =>
  globalThis.kept.push({ seed, tokens: [...tokens], png: [...png] }));`;

/** An adapter that is there once, and gone when it is wanted. */
const PASSING = `let isThere = true;
Object.defineProperty(navigator, 'gpu', { value: {
  requestAdapter: async () => isThere ? ((isThere = false), {}) : null } });`;

const promptOf = (page: Page) => page.getByRole('textbox', { name: 'Prompt', exact: true });

async function fill(page: Page, values: Readonly<Record<string, string>>): Promise<void> {
  await page.locator('details').evaluate((details) => details.setAttribute('open', ''));
  for (const [label, value] of Object.entries(values)) await page.getByLabel(label, { exact: true }).fill(value);
}

describe.skipIf(!present)('an exported page', () => {
  /** The page of the site, which the tests go on with: what takes a page longest is to load ONNX Runtime. */
  let sitePage: ReturnType<typeof openPage> | undefined;
  const openSite = () => {
    sitePage ??= openPage(address);
    return sitePage;
  };
  const device = (page: Page) => page.getByRole('combobox', { name: 'Computed on' });

  it('says which file could not be fetched, and draws once it can', async () => {
    broken.add('model-');
    const { page, problems } = await openSite();
    expect(await page.getByRole('alert').textContent()).toMatch(
      /^model-\w+\.bin could not be fetched: the server answers 503/,
    );
    broken.clear();
    await page.getByRole('button', { name: 'Try again' }).click();
    await promptOf(page).waitFor();
    // The browser itself has reported the answer 503.
    problems.length = 0;
  });

  it.each(['site', 'file'] as const)(
    'as a %s draws the tokens that Node draws, and lets no finding of axe',
    async (kind) => {
      const { page, problems, seen } = await (kind === 'site' ? openSite() : openPage(pathToFileURL(file).href));
      await promptOf(page).fill(PROMPT);
      await fill(page, { Pictures: `${COUNT}`, Seed: '7' });
      await promptOf(page).press('Enter');
      await page.getByText(`${COUNT} pictures drawn.`).waitFor();

      const pictures = await seen();
      expect(pictures.map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens));
      expect(new Set(pictures.flatMap(({ tokens }) => tokens)).size).toBeGreaterThan(5);
      const texts = pictures.map(({ png }) => readPngText(Uint8Array.from(png)));
      expect(texts).toEqual(expected.map(({ png }) => readPngText(png)));
      expect(await page.getByRole('img', { name: PROMPT }).count()).toBe(COUNT);
      expect(await page.title()).toBe('Tiny & <faces>');
      // A host without headers still gives threads, by way of the service worker; a file does not.
      expect(await page.evaluate('crossOriginIsolated')).toBe(kind === 'site');

      await page.setViewportSize({ width: 360, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
      await page.evaluate(axe);
      const found = await page.evaluate<string[]>('axe.run().then(({ violations }) => violations.map(({ id }) => id))');
      expect(found).toEqual([]);
      expect(problems).toEqual([]);
      if (kind === 'file') await page.context().close();
    },
  );

  it('is cancelled at the next step, says what is wrong in a line, and draws on', async () => {
    const { page, seeds } = await openSite();
    const before = (await seeds()).length;
    await promptOf(page).fill('a red face');
    await fill(page, { Pictures: '500', Seed: '1' });
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText(/^Picture \d+ of 500/).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Cancelled.', { exact: false }).waitFor();
    expect((await seeds()).length - before).toBeLessThan(500);
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Create');

    await promptOf(page).fill('face '.repeat(100));
    await page.getByRole('button', { name: 'Create' }).click();
    expect(await page.getByRole('alert').textContent()).toContain('this CLIP reads at most');

    await promptOf(page).fill('a zebra');
    await fill(page, { Pictures: '1' });
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('1 picture drawn. The model has never met: zebra.').waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it('says so where the GPU has gone, and draws on with the CPU', async () => {
    const { page, seeds } = await openSite();
    const before = (await seeds()).length;
    await device(page).selectOption('webgpu');
    await page.getByText('There is no GPU here any more: the CPU draws instead.').waitFor();
    await page.getByText('this browser has no WebGPU that could be used').waitFor();
    expect(await device(page).count()).toBe(0);
    await promptOf(page).fill(PROMPT);
    await fill(page, { Pictures: '1' });
    await promptOf(page).press('Enter');
    await page.getByText('1 picture drawn.', { exact: false }).waitFor();
    expect(await seeds()).toHaveLength(before + 1);
    await page.context().close();
  });

  it('on WebGPU draws the tokens of Node, and goes on with the CPU where the GPU is lost', async () => {
    const run = writeTinyRun(path.join(folder, 'narrow-run'), narrow, WIDTH);
    await exportSite(run, narrowSite, { precision: 'float32' });
    const wanted = await drawnOnNode(run);
    const { page, seen, seeds } = await openPage(`${address}narrow/`, 'there');
    const choice = await device(page).elementHandle();
    await device(page).selectOption('webgpu');
    // It goes while the engine starts, and another one comes.
    await choice!.waitForElementState('hidden');
    await device(page).waitFor();
    await promptOf(page).fill(PROMPT);
    await fill(page, { Pictures: `${COUNT}`, Seed: '7' });
    await promptOf(page).press('Enter');
    await page.getByText(`${COUNT} pictures drawn.`).waitFor();
    expect(await device(page).inputValue()).toBe('webgpu');
    // A code may be another one where its number lies within a rounding of an edge: not with these.
    expect((await seen()).map(({ tokens }) => tokens)).toEqual(wanted.map(({ tokens }) => tokens));

    await fill(page, { Pictures: '500' });
    await promptOf(page).press('Enter');
    const drawn = async () => (await seeds()).slice(COUNT);
    const drawnMoreThan = (count: number) =>
      expect.poll(async () => (await drawn()).length, { timeout: TIME }).toBeGreaterThan(count);
    await drawnMoreThan(1);
    const session = await browser.newBrowserCDPSession();
    // The process ends before it could answer.
    session.send('Browser.crashGpuProcess').catch(() => {});
    await page.getByText('The GPU stopped: the CPU draws instead.').waitFor();
    await drawnMoreThan((await drawn()).length + 1);
    await page.keyboard.press('Escape');
    const remark = await page.getByText(/pictures drawn\./).textContent();
    const all = await drawn();
    expect(remark).toContain(`${all.length} pictures drawn.`);
    expect(all).toEqual(all.map((_, i) => 7 + i));
  });
});

describe('an export as a page', () => {
  it('refuses a CLIP of the hub in a line, and leaves nothing behind', async () => {
    const place = path.join(folder, 'hub');
    const run = writeTinyRun(place, recipe);
    const hub = run.changed({ ...run.settings, clip: 'Xenova/clip-vit-base-patch32' });
    await expect(exportSite(hub, path.join(folder, 'none'), { precision: 'float16' })).rejects.toThrow(
      `${place} is driven by the CLIP Xenova/clip-vit-base-patch32, which is too large for a page`,
    );
    expect(fs.existsSync(path.join(folder, 'none'))).toBe(false);
    expect(RunDirectory.open(place).settings.clip).toBe('Xenova/clip-vit-base-patch32');
  });
});
