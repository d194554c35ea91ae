/**
 * Memory of an exported page that draws many pictures in a row, in Chromium: the page's process before and after it has
 * collected its garbage, WebAssembly's heap and the page's own objects, every 50 pictures; and the seconds from opening
 * the page to its first picture. docs/web.md has what it has printed.
 *
 *   node bin/clipvq.cjs export models/faces --html faces.html
 *   node scripts/page-memory.mjs faces.html [pictures] [steps]
 *   node scripts/page-memory.mjs faces.html 1 16                 the first picture with the shipped model's steps
 */

import fs from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [file, pictures = '500', steps = '2'] = process.argv.slice(2);
const EVERY = 50;

/** The page's worker, made to keep the memory of WebAssembly where a visitor of its thread can see it. */
const KEEP_HEAP = `
const keep = new Blob(['WebAssembly.Memory = class extends WebAssembly.Memory { constructor(size) { super(size); self.heap = this; } };']);
const address = URL.createObjectURL;
URL.createObjectURL = (blob) =>
  address.call(URL, blob.type === 'text/javascript' ? new Blob([keep, blob], { type: blob.type }) : blob);
globalThis.drawn = 0;
document.addEventListener('clipvq:picture', () => {
  globalThis.drawn++;
  globalThis.first ??= performance.now() / 1000;
});`;

const megabytes = (bytes) => Math.round(bytes / 2 ** 20);
const status = (pid) => fs.readFileSync(`/proc/${pid}/status`, 'utf8');

/** Bytes of the process that runs the page: the largest renderer below this one. */
function pageProcess() {
  const parents = new Map();
  for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      parents.set(pid, /^PPid:\t(\d+)/m.exec(status(pid))[1]);
    } catch {
      // It has ended meanwhile.
    }
  }
  const isOurs = (pid) => pid !== undefined && (pid === String(process.pid) || isOurs(parents.get(pid)));
  const sizes = [...parents.keys()]
    .filter((pid) => isOurs(pid) && fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer'))
    .map((pid) => 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status(pid))[1]));
  return Math.max(...sizes);
}

const browser = await chromium.launch({
  executablePath: process.env.CLIPVQ_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--enable-precise-memory-info', '--js-flags=--expose-gc'],
});
const page = await browser.newPage();
page.setDefaultTimeout(600_000);
await page.addInitScript(KEEP_HEAP);
await page.goto(pathToFileURL(file).href);
await page.getByRole('textbox', { name: 'Prompt' }).fill('a woman with red hair');
await page.getByText('Settings', { exact: true }).click();
for (const [label, value] of Object.entries({ Pictures: pictures, Seed: '0', Steps: steps }))
  await page.getByLabel(label, { exact: true }).fill(value);
await page.getByRole('button', { name: 'Create' }).click();
console.log('pictures  page MB  collected  WebAssembly MB  objects MB');
for (let seen = Math.min(10, pictures); ; seen = seen < EVERY ? EVERY : seen + EVERY) {
  const wanted = Math.min(seen, pictures);
  // The page's policy lets no text become a function, as waitForFunction does.
  while ((await page.evaluate('drawn')) < wanted) await setTimeout(500);
  const worker = page.workers()[0];
  const before = pageProcess();
  await worker.evaluate('gc()');
  await page.evaluate('gc()');
  const [heap, objects] = [
    await worker.evaluate('heap.buffer.byteLength'),
    await page.evaluate('performance.memory.usedJSHeapSize'),
  ];
  const columns = [wanted, ...[before, pageProcess(), heap, objects].map(megabytes)];
  console.log(columns.map((number, i) => String(number).padStart([8, 9, 11, 16, 12][i])).join(''));
  if (wanted === Number(pictures)) break;
}
console.log(`first picture: ${(await page.evaluate('first')).toFixed(1)} s after the page was opened`);
await browser.close();
