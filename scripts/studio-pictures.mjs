/**
 * Takes the pictures of the studio for README, with the shipped model, in a folder that is removed again:
 *
 *   node scripts/setup.mjs --quiet && node scripts/studio-pictures.mjs
 */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import sharp from 'sharp';
import { serveStudio } from '../dist/studio/http/server.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const PROMPTS = [
  'a woman with long blonde hair and glasses',
  'a man with a hat on a blue background',
  'a woman with red hair, smiling',
  'a bearded man with sunglasses',
];

/** A screenshot in few colours: it is on every visitor's way. */
async function save(page, name) {
  const file = path.join(root, 'docs', 'images', name);
  const { size } = await sharp(await page.screenshot())
    .png({ palette: true, colours: 96, dither: 0, compressionLevel: 9 })
    .toFile(file);
  console.log(`docs/images/${name}: ${Math.round(size / 1000)} kB`);
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'clipvq-pictures-'));
const running = await serveStudio({
  model: path.join(root, 'models', 'faces'),
  folder: path.join(folder, 'studio'),
  runs: path.join(folder, 'runs'),
  data: [],
  version: '',
  port: 0,
  facePrompts: PROMPTS,
  meanings: {},
  engine: { device: 'cpu' },
});
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(300_000);
  await page.goto(running.address);
  const pictures = page.getByRole('region', { name: 'Pictures', exact: true });
  const create = async (prompt, seed) => {
    await page.getByLabel('Prompt', { exact: true }).fill(prompt);
    await page.getByLabel('Seed', { exact: true }).fill(String(seed));
    await page.getByRole('button', { name: 'Create', exact: true }).click();
  };
  for (const [i, prompt] of PROMPTS.entries()) {
    await create(prompt, 10 * i + 1);
    await pictures.getByAltText(prompt).nth(3).waitFor();
  }
  // In the middle of a drawing, halted so that nothing moves.
  await create('a girl with green hair', 41);
  await page.waitForFunction(() => Number(document.querySelector('.live-job progress')?.value) >= 7);
  await page.getByRole('button', { name: /^Pause/ }).click();
  await page.getByText('Paused', { exact: true }).first().waitFor();
  await page.mouse.move(640, 790);
  await save(page, 'studio.png');

  await page.getByRole('button', { name: /^Cancel/ }).click();
  await page.emulateMedia({ colorScheme: 'dark' });
  await pictures.getByAltText(PROMPTS[2]).nth(1).click();
  await page.getByRole('complementary', { name: 'Picture' }).getByText('4 stars').locator('..').click();
  await page.mouse.move(640, 790);
  await page.waitForTimeout(500);
  await save(page, 'studio-dark.png');
} finally {
  await browser.close();
  await running.close();
  rmSync(folder, { recursive: true, force: true });
}
