/** Hints as the user can type them, and the folder that paths mean. */

import { expect, it } from 'vitest';
import { invocation, type Start, typeable, userFolder } from './invocation.ts';

const start = (some: Partial<Start>): Start => ({
  env: { PATH: '/usr/bin:/usr/local/bin' },
  script: '/clone/bin/clipvq.cjs',
  cwd: '/home/me',
  root: '/clone',
  ...some,
});
const npmRun = { npm_lifecycle_event: 'clipvq', npm_package_json: '/clone/package.json', INIT_CWD: '/clone/sub' };

it.each<[string, Partial<Start>, string]>([
  ['npm run in a clone', { env: npmRun, cwd: '/clone/sub' }, 'npm run clipvq --'],
  ['a command on the path', { script: '/usr/local/bin/clipvq' }, 'clipvq'],
  ['npx beside an install', { script: '/app/node_modules/.bin/clipvq' }, 'npx clipvq'],
  [
    'a script of another package that has it installed',
    { env: { ...npmRun, npm_package_json: '/app/package.json' }, script: '/app/node_modules/.bin/clipvq' },
    'npx clipvq',
  ],
  ['npx without an install', { script: '/home/me/.npm/_npx/1a2b/node_modules/.bin/clipvq' }, 'npx clip-vqdiffusion'],
  ['node in a clone', { cwd: '/clone' }, 'node bin/clipvq.cjs'],
  ['node from elsewhere', { cwd: '/home/me' }, 'node /clone/bin/clipvq.cjs'],
])('a hint after %s starts the program in the same way', (_, some, how) => {
  expect(invocation(start(some))).toBe(how);
});

it('only the names of commands are rewritten in a text', () => {
  const text = 'clipvq: no such run; try clipvq train --run a, or the clipvq reference';
  expect(typeable(text, 'npx clipvq')).toBe(
    'clipvq: no such run; try npx clipvq train --run a, or the clipvq reference',
  );
});

it('paths are relative to the folder in which npm run was typed, and nothing else changes folders', () => {
  expect(userFolder(start({ env: npmRun, cwd: '/clone' }))).toBe('/clone/sub');
  expect(userFolder(start({ env: npmRun, cwd: '/clone/elsewhere' }))).toBeUndefined();
  expect(userFolder(start({ env: { ...npmRun, npm_package_json: '/app/package.json' }, cwd: '/app' }))).toBeUndefined();
  expect(userFolder(start({ cwd: '/clone' }))).toBeUndefined();
});
