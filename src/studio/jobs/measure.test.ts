/** What is kept of a command that has failed. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { failedReport } from './measure.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-measure-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

it('keeps the report of a check that has found no usable picture, and no document of a failure alone', () => {
  const file = path.join(folder, 'result.json');
  const reported = (text: string) => {
    fs.writeFileSync(file, text);
    return failedReport(file);
  };
  expect(reported('{"accepted":0,"rejected":[],"error":"No usable picture","exitCode":2}')).toEqual({
    accepted: 0,
    rejected: [],
  });
  for (const text of ['{"error":"No folder","exitCode":2}', '{"accepted":0,"exitCode":1}', '{"acc', ''])
    expect(reported(text)).toBeUndefined();
});
