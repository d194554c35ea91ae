/**
 * How the user has started this program, so that a hint can be typed as it is printed, and paths mean what the user
 * means.
 */

import path from 'node:path';
import { packageRoot } from '../files/own-package.ts';
import { commandNames } from './command-names.ts';

/** What the answer depends on; a parameter for tests. */
export interface Start {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The path of the program, as Node.js was given it. */
  readonly script: string;
  readonly cwd: string;
  /** The folder of this package. */
  readonly root: string;
}

const ownStart = (): Start => ({
  env: process.env,
  script: process.argv[1] ?? '',
  cwd: process.cwd(),
  root: packageRoot(),
});

/** Whether a script of this package's own clone was started with `npm run`, which moves to the root of the clone. */
const isOwnScript = ({ env, root }: Start): boolean =>
  env.npm_lifecycle_event !== undefined &&
  env.npm_package_json !== undefined &&
  path.resolve(env.npm_package_json) === path.join(root, 'package.json');

/**
 * Go back to the folder in which the user has typed `npm run`: paths on the command line are relative to it.
 * @returns the folder, or undefined where the process is in the right one already.
 */
export function userFolder(start: Start = ownStart()): string | undefined {
  const from = start.env.INIT_CWD;
  return isOwnScript(start) && from !== undefined && path.resolve(start.cwd) === start.root && from !== start.cwd
    ? from
    : undefined;
}

/**
 * What to type instead of `clipvq`: `clipvq` where that is on the path, `npm run clipvq --` in a clone, `npx clipvq`
 * beside an install.
 */
export function invocation(start: Start = ownStart()): string {
  const { env, script, cwd, root } = start;
  if (isOwnScript(start)) return 'npm run clipvq --';
  const folder = path.dirname(script);
  if (folder.endsWith(path.join('node_modules', '.bin')))
    return folder.includes(`${path.sep}_npx${path.sep}`) ? 'npx clip-vqdiffusion' : 'npx clipvq';
  const onPath = (env.PATH ?? env.Path ?? '').split(path.delimiter).some((one) => path.resolve(one) === folder);
  if (onPath && /^clipvq(\.\w+)?$/.test(path.basename(script))) return 'clipvq';
  const own = path.relative(root, script);
  if (own.startsWith('..') || script === '') return 'clipvq';
  const relative = path.relative(cwd, script);
  return `node ${quoted(relative.startsWith('..') ? script : relative)}`;
}

const quoted = (text: string): string => (/^[\w./\\:@+-]+$/.test(text) ? text : JSON.stringify(text));

const COMMAND = new RegExp(`\\bclipvq (?=(?:${commandNames.join('|')})\\b)`, 'g');

/** A text whose hints (`clipvq train …`) are what the user can type. */
export const typeable = (text: string, how: string = invocation()): string => text.replace(COMMAND, `${how} `);
