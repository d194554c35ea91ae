/** The page of the studio in a real browser, over the real server with a tiny model. */

import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { type Browser as Chromium, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/data/pictures/png.ts';
import { presets } from '../../src/recipe/recipe.ts';
import type { RunningStudio } from '../../src/studio/http/server.ts';
import { costKey } from '../../src/studio/presets.ts';
import type { Picture, PictureList } from '../../src/studio/protocol.ts';
import { startTinyStudio } from '../support/studio.ts';

const EXECUTABLE = '/usr/bin/chromium';
const isThere = fs.existsSync(EXECUTABLE);
if (!isThere)
  console.warn(`SKIPPED: the studio's page in a browser, because there is no ${EXECUTABLE} (apt-get install chromium)`);

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PROMPT = 'a red face';

describe.skipIf(!isThere)('the page of the studio', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-page-'));
  const photos = path.join(folder, 'photos');
  const faults: string[] = [];
  let running: RunningStudio;
  let browser: Chromium;
  let page: Page;

  beforeAll(async () => {
    fs.mkdirSync(photos);
    for (let i = 0; i < 8; i++) {
      const data = Uint8Array.from({ length: 3 * 32 * 32 }, (_, at) => (at * (i + 3)) % 256);
      fs.writeFileSync(path.join(photos, `${i}.png`), await encodePng({ width: 32, height: 32, data }, {}));
    }
    // Measured, they take most of a minute.
    const cost = { parameters: 1, memoryGB: 1, stages: [], secondsPerPicture: 1, range: [0.5, 2] };
    const costs = Object.keys(presets).map((name) => [costKey(name, '0.0.0'), cost] as const);
    fs.mkdirSync(path.join(folder, 'studio'));
    fs.writeFileSync(path.join(folder, 'studio', 'costs.json'), JSON.stringify(Object.fromEntries(costs)));
    running = await startTinyStudio(folder, { data: [photos] });
    browser = await chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox', '--disable-gpu'] });
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.setDefaultTimeout(20_000);
    page.on('pageerror', ({ message }) => faults.push(message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) faults.push(message.text());
    });
    await page.goto(running.address);
  });
  afterAll(async () => {
    await browser?.close();
    await running?.close();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const button = (name: string | RegExp) => page.getByRole('button', { name, exact: true });
  const prompt = () => page.getByRole('textbox', { name: 'Prompt', exact: true });
  const results = () => page.getByRole('region', { name: 'Pictures', exact: true }).getByRole('img');
  const ofPrompt = (text: string) =>
    page.getByRole('region', { name: 'Pictures', exact: true }).getByAltText(text, { exact: true });
  const live = () => page.getByRole('region', { name: 'Being drawn' });
  const inspector = () => page.getByRole('complementary', { name: 'Picture' });
  const view = (address: string) => page.goto(`http://127.0.0.1:${running.port}/#/${address}`);
  const ofKind = (kind: string) =>
    page.evaluate<PictureList>(`fetch('/api/pictures?kind=${kind}').then((a) => a.json())`);
  const set = async (name: string, value: number) => {
    const field = page.getByRole('spinbutton', { name, exact: true });
    await field.fill(String(value));
    await field.blur();
  };
  const create = async (text: string, count: number) => {
    await prompt().fill(text);
    await set('Count', count);
    await button('Create').click();
  };
  const pictures = async (kind: string, count: number): Promise<readonly Picture[]> => {
    await expect.poll(async () => (await ofKind(kind)).total, { timeout: 20_000 }).toBe(count);
    return (await ofKind(kind)).pictures;
  };

  it('begins with words to try, and draws pictures whose alt text is the prompt', async () => {
    await button('a man').click();
    expect(await prompt().inputValue()).toBe('a man');
    await create(PROMPT, 2);
    await expect.poll(() => results().count(), { timeout: 20_000 }).toBe(2);
    expect(await results().first().getAttribute('alt')).toBe(PROMPT);
    const [size, own] = await results()
      .first()
      .evaluate<[number, number], HTMLImageElementLike>((image) => [image.width, image.naturalWidth]);
    expect([own, size % own]).toEqual([16, 0]);
  });

  it('comes back to a drawing in the middle, with its preview; the queue is ordered and cancelled', async () => {
    await set('Best of', 16);
    await set('Steps', 7);
    await create('a slow face', 64);
    await live().getByRole('img').first().waitFor();
    await set('Best of', 1);
    await set('Steps', 4);
    await create('second', 1);
    await create('third', 1);
    await live().getByText('2 jobs wait').waitFor();
    await page.reload();
    await live().getByRole('img').first().waitFor();
    expect(await live().getByRole('img').first().getAttribute('alt')).toBe('a slow face');
    await button('Queue 3 jobs').click();
    const queue = page.getByRole('dialog', { name: 'Queue' });
    const titles = () => queue.locator('.job-title').allTextContents();
    await queue.getByRole('button', { name: 'Move third up' }).click();
    await expect.poll(titles, { timeout: 20_000 }).toEqual(['a slow face', 'third', 'second', PROMPT]);
    for (const title of ['third', 'second']) await queue.getByRole('button', { name: `Cancel ${title}` }).click();
    await queue.getByRole('button', { name: 'Pause a slow face' }).click();
    await queue.getByText('Paused').waitFor();
    await queue.getByRole('button', { name: 'Resume a slow face' }).click();
    await queue.getByRole('button', { name: 'Pause a slow face' }).waitFor();
    await queue.getByRole('button', { name: 'Cancel a slow face' }).click();
    await queue.getByText('Nothing is being drawn or trained').waitFor();
    await queue.getByRole('button', { name: 'Close' }).click();
    await expect.poll(() => live().count(), { timeout: 20_000 }).toBe(0);
  });

  it('varies, interpolates and repaints the picture that is looked at', async () => {
    await set('Count', 2);
    await ofPrompt(PROMPT).first().click();
    await inspector().getByRole('button', { name: 'Vary', exact: true }).click();
    const [varied] = await pictures('vary', 2);
    expect(varied).toMatchObject({ prompt: PROMPT, strength: 0.6 });

    await inspector().getByRole('button', { name: 'Interpolate …' }).click();
    await set('Pictures', 3);
    await button('Interpolate').click();
    await pictures('interpolate', 3);

    await inspector().getByRole('button', { name: 'Repaint …' }).click();
    const brush = page.getByRole('button', { name: /^Picture to paint on/ });
    await brush.press('ArrowUp');
    await brush.press(' ');
    const { x, y, width } = (await brush.boundingBox())!;
    await page.mouse.move(x + 5, y + 5);
    await page.mouse.down();
    await page.mouse.move(x + width / 2, y + 5, { steps: 3 });
    await page.mouse.up();
    await button('Repaint').click();
    const [repainted] = await pictures('repaint', 2);
    // The middle by keys, the upper edge by pointer; the foot stays.
    expect(repainted?.mask).toMatch(/^11.*1.*0{24}$/);
  });

  it('brings settings back, from a picture file and from the picture beside the form, and undoes it', async () => {
    const first = (await ofKind('create')).pictures.find((one) => one.prompt === PROMPT);
    const bytes = await page.evaluate<number[]>(
      `fetch('/api/pictures/${first!.id}.png').then(async (a) => [...new Uint8Array(await a.arrayBuffer())])`,
    );
    await prompt().fill('something else');
    await set('Steps', 2);
    const file = { name: 'ours.png', mimeType: 'image/png', buffer: Buffer.from(bytes) };
    await page.getByLabel('Open a picture …').setInputFiles(file);
    await expect.poll(() => prompt().inputValue()).toBe(PROMPT);
    expect(await page.getByLabel('Seed', { exact: true }).inputValue()).toBe(String(first!.seed));
    expect(await page.getByRole('spinbutton', { name: 'Steps', exact: true }).inputValue()).toBe('4');
    await button('Undo').click();
    expect(await prompt().inputValue()).toBe('something else');
    await inspector().getByRole('button', { name: 'Use Steps of this picture' }).click();
    expect(await page.getByRole('spinbutton', { name: 'Steps', exact: true }).inputValue()).toBe('4');
    expect(await prompt().inputValue()).toBe('something else');
  });

  it('keeps, rates, finds and compares pictures, also after a reload', async () => {
    await inspector().getByRole('button', { name: 'Keep' }).click();
    await inspector().locator('label', { hasText: '4 stars' }).click();
    await inspector().getByRole('button', { name: 'Compare' }).click();
    await page.getByRole('region', { name: 'Comparison' }).waitFor();
    await page.reload();
    await button('Kept').click();
    await expect.poll(() => results().count()).toBe(1);
    await page.getByText('4★ kept').waitFor();
    await page.getByRole('searchbox').fill('no such words');
    await page.getByText('No picture fits this search').waitFor();
    await button('Show all').click();
    await expect.poll(() => results().count()).toBeGreaterThan(5);
  });

  it('is used with the keyboard alone', async () => {
    await page.reload();
    await prompt().waitFor();
    const tabTo = async (role: string) => {
      for (let i = 0; i < 100; i++) {
        await page.keyboard.press('Tab');
        if (await page.evaluate<boolean>(`document.activeElement.matches(${JSON.stringify(role)})`)) return;
      }
      throw new Error(`${role} is not reached`);
    };
    await tabTo('#prompt');
    await page.keyboard.press('Control+a');
    await page.keyboard.type('by keys');
    await tabTo('.primary');
    await page.keyboard.press('Enter');
    await expect.poll(() => ofPrompt('by keys').count(), { timeout: 20_000 }).toBe(2);
    await expect.poll(() => live().count(), { timeout: 20_000 }).toBe(0);
    await tabTo('.tile button');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await inspector().waitFor();
    await page.keyboard.press('Escape');
    await inspector().waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.matches(".tile button")')).toBe(true);
  });

  it('trains to the first numbers, which a reload finds again', async () => {
    await view('train/new');
    await page.getByRole('radio', { name: /^photos/ }).check();
    await button('Look at these pictures').click();
    await page.getByText('8 pictures,').waitFor();
    await page.getByRole('radio', { name: /^nano/ }).check();
    await page.getByText('Name, length and more').click();
    await page.getByLabel('Name of the run').fill('trial');
    await page.getByLabel('Steps at most').fill('3');
    await page.getByLabel('CLIP').selectOption('shipped');
    await page
      .getByLabel('Settings of the recipe')
      .fill(
        'imageSize=16\ntokenizer.batch=2\ntokenizer.channels=8\ndiffusion.layers=1\ndiffusion.dim=32\npictures.holdOut=0',
      );
    await button('Start training').click();
    await page
      .getByRole('img', { name: /^loss, step 1/ })
      .first()
      .waitFor({ timeout: 100_000 });
    await page.reload();
    await page.getByRole('heading', { name: 'trial' }).waitFor();
    await page
      .getByRole('img', { name: /^loss, step 1/ })
      .first()
      .waitFor();
    const stop = button('Stop');
    if (await stop.isVisible()) await stop.click();
    await expect.poll(() => stop.count(), { timeout: 100_000 }).toBe(0);
  });

  it('has nothing that axe finds serious, and fits 360 pixels, in light and in dark', async () => {
    for (const [colorScheme, width] of [
      ['light', 1440],
      ['dark', 360],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      for (const address of ['create', 'train', 'train/new', 'evaluate/new']) {
        await view(address);
        if (address === 'create') await results().first().click();
        await page.getByRole('heading', { level: 2 }).first().waitFor();
        expect(await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth'), address).toBe(0);
        expect(await serious(), `${address}, ${colorScheme}`).toEqual([]);
        if (address === 'create') await page.keyboard.press('Escape');
      }
    }
    await page.getByRole('combobox', { name: 'Light or dark' }).selectOption('light');
    expect(await page.evaluate('getComputedStyle(document.documentElement).colorScheme')).toBe('light');
  });

  it('says so when the studio is gone, and keeps what is there', async () => {
    await page.setViewportSize({ width: 1440, height: 900 });
    await view('create');
    await results().first().waitFor();
    await running.close();
    await page.getByRole('alert').getByText('The studio does not answer').waitFor();
    expect(await button('Create').isDisabled()).toBe(true);
    expect(await results().count()).toBeGreaterThan(5);
    expect(faults).toEqual([]);
  });

  async function serious(): Promise<readonly string[]> {
    await page.evaluate(AXE);
    const { violations } = await page.evaluate<{ violations: readonly Violation[] }>('axe.run()');
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  }
});

interface HTMLImageElementLike {
  readonly width: number;
  readonly naturalWidth: number;
}

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}
