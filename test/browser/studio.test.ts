/** The page of the studio in a real browser, over the real server with a tiny model. */

import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import type { Browser as Chromium, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import yazl from 'yazl';
import { encodePng } from '../../src/data/pictures/png.ts';
import { presets } from '../../src/recipe/recipe.ts';
import type { RunningStudio } from '../../src/studio/http/server.ts';
import { costKey } from '../../src/studio/presets.ts';
import type { Picture, PictureList, RunList } from '../../src/studio/protocol.ts';
import { hasBrowser, openBrowser } from '../support/browser.ts';
import { startTinyStudio, writeStudioModel } from '../support/studio.ts';
import { writeLoggedRun, writeReport, writeSheet } from '../support/studio-files.ts';

const isThere = hasBrowser("the studio's page in a browser");

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PROMPT = 'a red face';
/** What comes soon takes longer on a busy machine. */
const SOON = { timeout: 120_000 };
/** So many steps take longer than anything that is done while they are drawn; they are cancelled. */
const SLOW = 200;
/** So that each start of the training, which outlasts the test, compiles one small program. */
const ONE_PROGRAM = 'tokenizer.channelMultipliers=[1]\ntokenizer.autoencoderFraction=0\ntokenizer.perceptualWeight=0';

describe.skipIf(!isThere)('the page of the studio', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-page-'));
  const photos = path.join(folder, 'photos');
  const faults: string[] = [];
  let running: RunningStudio;
  let browser: Chromium;
  let page: Page;

  const photoOf = async (i: number) => {
    const data = Uint8Array.from({ length: 3 * 32 * 32 }, (_, at) => (at * (i + 3)) % 256);
    return Buffer.from(await encodePng({ width: 32, height: 32, data }, {}));
  };

  beforeAll(async () => {
    fs.mkdirSync(photos);
    for (let i = 0; i < 8; i++) fs.writeFileSync(path.join(photos, `${i}.png`), await photoOf(i));
    // Measured, they take most of a minute.
    const cost = { parameters: 1, memoryGB: 1, stages: [], secondsPerPicture: 1, range: [0.5, 2] };
    const costs = Object.keys(presets).map((name) => [costKey(name, '0.0.0'), cost] as const);
    fs.mkdirSync(path.join(folder, 'studio'));
    fs.writeFileSync(path.join(folder, 'studio', 'costs.json'), JSON.stringify(Object.fromEntries(costs)));
    writeReport(path.join(folder, 'studio'), 'a'.repeat(12), 'weak', 0.2);
    writeReport(path.join(folder, 'studio'), 'b'.repeat(12), 'strong', 0.8);
    writeLoggedRun(path.join(folder, 'runs', 'calm'), 0.3, {});
    const bold = writeLoggedRun(path.join(folder, 'runs', 'bold'), 0.7, { 'diffusion.layers': '7' });
    for (const step of [100, 200]) writeSheet(bold, 'tokenizer', step, await photoOf(step));
    writeStudioModel(path.join(folder, 'model'), SLOW);
    running = await startTinyStudio(folder, { data: [photos] });
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.setDefaultTimeout(SOON.timeout);
    // Every question of this page is whether something may be deleted.
    page.on('dialog', (dialog) => dialog.accept());
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
    await expect.poll(async () => (await ofKind(kind)).total, SOON).toBe(count);
    return (await ofKind(kind)).pictures;
  };

  it('begins with words to try, and draws pictures whose alt text is the prompt', async () => {
    await button('a man').click();
    expect(await prompt().inputValue()).toBe('a man');
    await create(PROMPT, 2);
    await expect.poll(() => results().count(), SOON).toBe(2);
    expect(await results().first().getAttribute('alt')).toBe(PROMPT);
    const [size, own] = await results()
      .first()
      .evaluate<[number, number], HTMLImageElementLike>((image) => [image.width, image.naturalWidth]);
    expect([own, size % own]).toEqual([16, 0]);
  });

  it('comes back to a drawing in the middle, with its preview; the queue is ordered and cancelled', async () => {
    await set('Best of', 16);
    await set('Steps', SLOW);
    await create('a slow face', 64);
    await live().getByRole('img').first().waitFor();
    // As long as the first one, so that nothing but the prompt is typed while that is drawn.
    for (const text of ['second', 'third']) {
      await prompt().fill(text);
      await button('Create').click();
    }
    await live().getByText('2 jobs wait').waitFor();
    await page.reload();
    await live().getByRole('img').first().waitFor();
    expect(await live().getByRole('img').first().getAttribute('alt')).toBe('a slow face');
    await button('Queue 3 jobs').click();
    const queue = page.getByRole('dialog', { name: 'Queue' });
    const titles = () => queue.locator('.job-title').allTextContents();
    await queue.getByRole('button', { name: 'Move third up' }).click();
    await expect.poll(titles, SOON).toEqual(['a slow face', 'third', 'second', PROMPT]);
    for (const title of ['third', 'second']) await queue.getByRole('button', { name: `Cancel ${title}` }).click();
    await queue.getByRole('button', { name: 'Pause a slow face' }).click();
    await queue.getByText('Paused').waitFor();
    await queue.getByRole('button', { name: 'Resume a slow face' }).click();
    await queue.getByRole('button', { name: 'Pause a slow face' }).waitFor();
    await queue.getByRole('button', { name: 'Cancel a slow face' }).click();
    await queue.getByText('Nothing is being drawn or trained').waitFor();
    await queue.getByRole('button', { name: 'Close' }).click();
    await expect.poll(() => live().count(), SOON).toBe(0);
    await set('Best of', 1);
    await set('Steps', 4);
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

  it('shows the picture large, varies it by a key, and lets it be dragged out as its file', async () => {
    await inspector().getByRole('button', { name: 'Show it large' }).click();
    const large = page.getByRole('dialog', { name: 'Large picture' });
    const shown = () => large.getByRole('img').getAttribute('src');
    const first = await shown();
    await page.keyboard.press('ArrowRight');
    await expect.poll(shown, SOON).not.toBe(first);
    await page.keyboard.press('ArrowLeft');
    await expect.poll(shown, SOON).toBe(first);
    await page.keyboard.press('Escape');
    await large.waitFor({ state: 'detached' });
    await page.keyboard.press('v');
    await pictures('vary', 4);

    await page.evaluate(
      "addEventListener('dragstart', ({ dataTransfer }) => { dragged = dataTransfer.getData('text/uri-list'); })",
    );
    await ofPrompt(PROMPT).last().hover();
    await page.mouse.down();
    await page.mouse.move(700, 500, { steps: 3 });
    await expect.poll(() => page.evaluate('globalThis.dragged'), SOON).toMatch(/\/api\/pictures\/\w+\.png$/);
    // What goes out does not come in.
    expect(await page.getByText('Drop a picture to go on from it').count()).toBe(0);
    await page.mouse.up();
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
    await expect.poll(() => prompt().inputValue(), SOON).toBe(PROMPT);
    expect(await page.getByLabel('Seed', { exact: true }).inputValue()).toBe(String(first!.seed));
    expect(await page.getByRole('spinbutton', { name: 'Steps', exact: true }).inputValue()).toBe('4');
    await button('Undo').click();
    expect(await prompt().inputValue()).toBe('something else');
    await inspector().getByRole('button', { name: 'Use Steps of this picture' }).click();
    expect(await page.getByRole('spinbutton', { name: 'Steps', exact: true }).inputValue()).toBe('4');
    expect(await prompt().inputValue()).toBe('something else');
  });

  it('takes a dropped picture: one of ours brings its settings, any other is what the next ones go on from', async () => {
    const drop = async (name: string, bytes: Uint8Array) => {
      const file = `new File([new Uint8Array([${[...bytes]}])], '${name}', { type: 'image/png' })`;
      const dataTransfer = await page.evaluateHandle(
        `(() => { const files = new DataTransfer(); files.items.add(${file}); return files; })()`,
      );
      await page.locator('#main').dispatchEvent('dragover', { dataTransfer });
      await page.getByText('Drop a picture to go on from it').waitFor();
      await page.locator('#main').dispatchEvent('drop', { dataTransfer });
      await page.getByText('Drop a picture to go on from it').waitFor({ state: 'detached' });
    };
    const [ours] = (await ofKind('create')).pictures;
    await prompt().fill('to be replaced');
    await drop('ours.png', await fs.promises.readFile(path.join(folder, 'studio', 'pictures', `${ours!.id}.png`)));
    await expect.poll(() => prompt().inputValue(), SOON).toBe(ours!.prompt);
    expect(await page.getByLabel('Seed', { exact: true }).inputValue()).toBe(String(ours!.seed));

    const before = (await ofKind('vary')).total;
    await drop('my cat.png', await photoOf(1));
    await page.getByRole('img', { name: 'my cat', exact: true }).first().waitFor();
    await prompt().fill('');
    await set('Count', 1);
    await button('Create').click();
    const [varied] = await pictures('vary', before + 1);
    const brought = (await ofKind('import')).pictures.find((one) => one.prompt === 'my cat');
    expect(varied!.parents).toEqual([brought!.id]);

    await drop('no picture.png', Uint8Array.of(1, 2, 3));
    await page.getByText(/^Cannot read the picture/).waitFor();
    await button('Close this message').last().click();
    await button('Remove').click();
    await set('Count', 2);
  });

  it('keeps, rates, finds and compares pictures, also after a reload', async () => {
    await inspector().getByRole('button', { name: 'Keep' }).click();
    await inspector().locator('label', { hasText: '4 stars' }).click();
    await inspector().getByRole('button', { name: 'Compare' }).click();
    await page.getByRole('region', { name: 'Comparison' }).waitFor();
    await page.reload();
    await button('Kept').click();
    await expect.poll(() => results().count(), SOON).toBe(1);
    await page.getByText('4★ kept').waitFor();
    await page.getByRole('searchbox').fill('no such words');
    await page.getByText('No picture fits this search').waitFor();
    await button('Show all').click();
    await expect.poll(() => results().count(), SOON).toBeGreaterThan(5);
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
    await expect.poll(() => ofPrompt('by keys').count(), SOON).toBe(2);
    await expect.poll(() => live().count(), SOON).toBe(0);
    await tabTo('.tile button');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await inspector().waitFor();
    await page.keyboard.press('Escape');
    await inspector().waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.matches(".tile button")')).toBe(true);
  });

  it('takes an uploaded zip as pictures to train on, says what is wrong with another one, and deletes it', async () => {
    await view('train/new');
    const send = (name: string, buffer: Buffer) =>
      page.getByLabel('Upload a zip …').setInputFiles({ name, mimeType: 'application/zip', buffer });
    await send('broken.zip', Buffer.from('no archive'));
    await page.locator('.toast.error').waitFor();
    await button('Close this message').last().click();
    const zip = new yazl.ZipFile();
    for (const i of [1, 2]) zip.addBuffer(await photoOf(i), `${i}.png`);
    zip.end();
    const chunks: Buffer[] = [];
    for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
    await send('holidays.zip', Buffer.concat(chunks));
    const choice = page.getByRole('radio', { name: /^holidays 2 pictures/ });
    await choice.waitFor();
    await expect.poll(() => choice.isChecked(), SOON).toBe(true);
    await page.getByRole('heading', { name: 'holidays' }).waitFor();
    await button('Delete holidays').click();
    await choice.waitFor({ state: 'detached' });
    expect(await page.getByRole('heading', { name: 'holidays' }).count()).toBe(0);
  });

  it('trains to the first numbers, which a reload finds again; pauses, resumes and stops', async () => {
    await view('train/new');
    await page.getByRole('radio', { name: /^photos/ }).check();
    await button('Look at these pictures').click();
    await page.getByText('8 pictures,').waitFor({ timeout: 100_000 });
    await page.getByRole('radio', { name: /^nano/ }).check();
    await page.getByText('Name, length and more').click();
    await page.getByLabel('Name of the run').fill('trial');
    await page.getByLabel('CLIP').selectOption('shipped');
    await page
      .getByLabel('Settings of the recipe')
      .fill(
        `imageSize=16\n${ONE_PROGRAM}\ntokenizer.steps=1000000\ntokenizer.batch=2\ntokenizer.channels=8\ndiffusion.layers=1\ndiffusion.dim=32\npictures.holdOut=0`,
      );
    await button('Start training').click();
    const curve = page.getByRole('img', { name: /^loss, step 1/ }).first();
    await curve.waitFor({ timeout: 100_000 });
    await page.reload();
    await page.getByRole('heading', { name: 'trial' }).waitFor();
    await curve.waitFor();
    const standing = (state: string) => page.getByRole('article').getByText(new RegExp(`^${state} · preset nano`));
    await button('Pause').click();
    await button('Pausing …').waitFor();
    await standing('Stopped').waitFor({ timeout: 100_000 });
    await button('Resume').click();
    await standing('Training').waitFor({ timeout: 100_000 });
    await button('Stop').click();
    await standing('Stopped').waitFor({ timeout: 100_000 });
    await expect.poll(() => button('Stop').count(), { timeout: 100_000 }).toBe(0);
  });

  it('shows two reports beside each other, each measure with its range, and deletes one', async () => {
    await view('evaluate');
    const row = (name: RegExp) => page.getByRole('row', { name }).getByRole('cell');
    const cells = (name: RegExp) => row(name).allTextContents();
    await page.getByRole('columnheader', { name: /^strong photos/ }).waitFor();
    expect(await cells(/^PSNR/)).toEqual(['26.426 to 26.8', '21.621.2 to 22']);
    // In lists of the report, too; better is less here.
    expect(await cells(/^Fréchet distance/)).toEqual(['4239 to 45', '7875 to 81']);
    expect(
      await row(/^Fréchet/)
        .first()
        .getAttribute('class'),
    ).toBe('best');
    expect(await page.locator('td.best').count()).toBe(3);
    await page.getByRole('checkbox', { name: /^weak/ }).uncheck();
    await expect.poll(() => cells(/^PSNR/), SOON).toEqual(['26.426 to 26.8']);
    await page.getByRole('checkbox', { name: /^strong/ }).uncheck();
    await page.getByText('Choose the reports to see beside each other').waitFor();
    await page.getByRole('checkbox', { name: /^strong/ }).check();
    await button(/^Delete the report on weak/).click();
    await expect.poll(() => page.getByRole('checkbox').count(), SOON).toBe(1);
    await page.getByRole('columnheader', { name: /^strong/ }).waitFor();
  });

  it('compares the curves and the settings of two runs', async () => {
    const { runs } = await page.evaluate<RunList>(`fetch('/api/runs').then((a) => a.json())`);
    const [calm, bold] = ['calm', 'bold'].map((name) => runs.find((run) => run.name === name)!.id);
    await view(`train/compare/${calm}/${bold}`);
    await page.getByRole('img', { name: /^diffusion · loss, step 0 to 1,190: calm: 0\.\d+, bold: 0\.\d+$/ }).waitFor();
    const row = page.getByRole('row', { name: /^diffusion\.layers/ });
    expect((await row.getByRole('cell').allTextContents()).at(-1)).toBe('7');
    await page.getByLabel('The other run').selectOption('calm');
    await page.getByText('Choose two different runs').waitFor();
    await view(`train/${bold}`);
    await page.getByRole('img', { name: 'Samples of tokenizer, step 200' }).waitFor();
    await page.getByLabel('Sheet through time').press('ArrowLeft');
    await page.getByRole('img', { name: 'Samples of tokenizer, step 100' }).waitFor();
  });

  it('has nothing that axe finds serious, and fits 360 pixels, in light and in dark', async () => {
    for (const [colorScheme, width] of [
      ['light', 1440],
      ['dark', 360],
    ] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height: 800 });
      for (const address of ['create', 'train', 'train/new', 'train/compare', 'evaluate', 'evaluate/new']) {
        await view(address);
        if (address === 'create') await results().first().click();
        await page.locator('main').locator('h2, td').first().waitFor();
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
    if (!(await page.evaluate<boolean>('"axe" in globalThis'))) await page.evaluate(AXE);
    const found = page.evaluate<{ violations: readonly Violation[] }>("axe.run({ resultTypes: ['violations'] })");
    const { violations } = await found;
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
