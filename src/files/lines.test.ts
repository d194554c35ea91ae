import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { linePieces, linesOf } from './lines.ts';

it('gives the same lines however small the pieces are that a file is read in', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-lines-'));
  try {
    const file = path.join(folder, 'log.jsonl');
    const read = (text: string, piece: number) => {
      fs.writeFileSync(file, text);
      return [...linesOf(file, piece)].map(({ text: line, hasEnd }) => `${line}${hasEnd ? '\n' : ''}`);
    };
    for (const piece of [1, 2, 3, 7, 4096]) {
      expect(read('', piece)).toEqual([]);
      expect(read('{"a": "größer"}\n\n猫\nhalf', piece)).toEqual(['{"a": "größer"}\n', '\n', '猫\n', 'half']);
      expect(read('one\n', piece)).toEqual(['one\n']);
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

it('lines are written as they are read, in pieces of a few megabytes', () => {
  const lines = Array.from({ length: 5000 }, (_, i) => `${i} ${'ü'.repeat(1000)}`);
  const pieces = [...linePieces(lines)];
  expect(pieces.length).toBeGreaterThan(1);
  expect(Buffer.concat(pieces).toString('utf8')).toBe(lines.map((line) => `${line}\n`).join(''));
  expect(Buffer.concat([...linePieces([])])).toHaveLength(0);
});
