/**
 * An exported CLIP is the same files whatever the process has done before: its hash is part of all that is made with
 * it.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { exportTinyClip } from '../../test/support/tiny-model.ts';
import * as g from '../graph/index.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-export-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

function filesOf(name: string): Record<string, string> {
  exportTinyClip(path.join(folder, name));
  const files = fs.readdirSync(path.join(folder, name), { recursive: true, encoding: 'utf8' }).sort();
  const isFile = (file: string) => fs.statSync(path.join(folder, name, file)).isFile();
  return Object.fromEntries(
    files.filter(isFile).map((file) => [file, fs.readFileSync(path.join(folder, name, file)).toString('base64')]),
  );
}

it('writes the same bytes after other programs were traced', () => {
  const first = filesOf('first');
  g.trace({ x: g.f32(3) }, ({ x }) => ({ y: g.add(x, 1) }));
  expect(filesOf('second')).toEqual(first);
  expect(Object.keys(first)).toContain('onnx/text_model.onnx');
});
