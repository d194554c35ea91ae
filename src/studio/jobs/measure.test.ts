/** What becomes of a command that has failed, or is paused. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { commandWork, failedReport } from './measure.ts';

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

it('a pause ends the command without a failure, and what was paused may begin anew', async () => {
  const never = new AbortController().signal;
  let begun = 0;
  const work = commandWork({
    log: path.join(folder, 'job.log'),
    args: () => {
      begun++;
      // More than anybody waits for.
      return ['data', 'faces', '-n', '1000000', '--out', path.join(folder, 'faces')];
    },
    onResult: () => expect.unreachable('a command that was ended has no result'),
  });
  const job = { id: '1', cancelled: never, closing: never, paused: AbortSignal.abort(), change: () => {} };
  for (const go of [1, 2]) expect([await work.run(job), begun]).toEqual(['paused', go]);
});
