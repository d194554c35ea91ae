/** How the program behaves towards shells and scripts, whatever the command. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';

const root = path.resolve('.');
const bin = path.join(root, 'bin', 'clipvq.cjs');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-manners-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

function run(args: string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
  const { npm_lifecycle_event: _, ...env } = process.env;
  const { cwd = folder } = options;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    ...{ cwd, encoding: 'utf8', env: { ...env, ...options.env } },
  });
  return { status, stdout, stderr };
}

it('a failure under --json is one document on stdout, and its line on stderr', () => {
  const { status, stdout, stderr } = run([bin, 'generate', '--model', 'nowhere', '--json', 'x']);
  const error = expect.stringMatching(/^There is no folder nowhere: .*made by .*clipvq.cjs"? train/);
  expect([status, JSON.parse(stdout)]).toEqual([2, { error, exitCode: 2 }]);
  expect(stderr).toMatch(/^clipvq: There is no folder nowhere[^\n]*\n$/);
  const mistyped = run([bin, 'generate', '--modle', 'nowhere', '--json', 'x']);
  expect(JSON.parse(mistyped.stdout)).toEqual({ error: expect.stringContaining('--model'), exitCode: 2 });
});

it('under npm run, paths and hints are those of the folder in which the user stands', () => {
  fs.mkdirSync(path.join(folder, 'model'));
  const npm = { npm_lifecycle_event: 'clipvq', npm_package_json: path.join(root, 'package.json'), INIT_CWD: folder };
  const found = run([bin, 'generate', '--model', 'model', 'x'], { cwd: root, env: npm });
  expect(found.stderr).toMatch(/model is not a model: it has no run\.json/);
  const missing = run([bin, 'generate', '--model', 'nowhere', 'x'], { cwd: root, env: npm });
  expect(missing.stderr).toMatch(/npm run clipvq -- train/);
});

it.each([
  ['18.20.4', 2],
  ['20.8.1', 2],
])('Node.js %s ends in one line', (version, status) => {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' }); require(${JSON.stringify(bin)})`;
  expect(run(['-e', pretend])).toEqual({
    status,
    stdout: '',
    stderr: `clipvq: Node.js 20.9 or newer is needed, and this is ${version}: see https://nodejs.org\n`,
  });
});

it('a reader that ends early gets no stack trace', () => {
  const shell = `${JSON.stringify(process.execPath)} ${JSON.stringify(bin)} train --help | head -c 1`;
  const { stderr } = spawnSync('sh', ['-c', shell], { encoding: 'utf8' });
  expect(stderr).toBe('');
});
