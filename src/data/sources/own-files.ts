/** What this program has written: runs and generated pictures are no pictures to train on. */

import fs from 'node:fs';
import path from 'node:path';
import { openRegular } from '../../files/regular-file.ts';

/** What a run directory holds beside whatever else lies there. */
const PARTS = new Set([
  ...['tensorboard', 'samples', 'cache', 'checkpoints', 'clip', 'diffusion', 'finetune', 'origin', 'tokenizer'],
  ...[
    'run.json',
    'log.jsonl',
    'metrics.jsonl',
    'rejected.jsonl',
    'clip-report.json',
    'condition-report.json',
    'curves.png',
    'README.md',
  ],
]);

/** Whether an entry of a run directory belongs to the run. */
export const isRunPart = (name: string): boolean => PARTS.has(name);

/** Whether a folder with these entries is a run directory: its `run.json` says so in its first lines. */
export function isRunFolder(folder: Buffer, entries: readonly { readonly name: string }[]): boolean {
  if (!entries.some(({ name }) => name === 'run.json')) return false;
  try {
    const file = openRegular(Buffer.concat([folder, Buffer.from(`${path.sep}run.json`)]));
    try {
      const head = Buffer.alloc(256);
      return head.toString('latin1', 0, fs.readSync(file, head)).includes('"clip-vqdiffusion run"');
    } finally {
      fs.closeSync(file);
    }
  } catch {
    return false;
  }
}

/** How the text chunk begins with which this program marks pictures and sheets that it has made. */
const MARK = Buffer.from('tEXtSoftware\0clip-vqdiffusion', 'latin1');

/** Whether the first bytes of a file are those of a picture that this program has generated. */
export const isGenerated = (head: Uint8Array): boolean => Buffer.from(head).includes(MARK);

/** Whether a file is a picture or sheet that this program has made; false where there is none. */
export function isOwnPicture(file: string): boolean {
  if (!fs.existsSync(file)) return false;
  const handle = openRegular(file);
  try {
    const head = Buffer.alloc(1 << 12);
    return isGenerated(head.subarray(0, fs.readSync(handle, head)));
  } finally {
    fs.closeSync(handle);
  }
}
