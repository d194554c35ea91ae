import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { importsOf } from './support/imports.ts';

/**
 * The rooms of `src/`, from the ground up: a file imports from its own room and from rooms named before it. Drawing
 * tokens needs no network, and lies below the recipe, which holds the settings of every sampler.
 */
const ROOMS = [
  'base',
  'files',
  'random',
  'graph',
  'checkpoint',
  'mpi',
  'nn',
  'optim',
  'engine',
  'diffusion/process',
  'diffusion/samplers',
  'recipe',
  'data',
  'render',
  'stage',
  'embedding',
  'clip',
  'vqgan',
  'diffusion',
  'run',
  'generation',
  'web',
  'training',
  'convert',
  'publish',
  'evaluation',
  'bench',
  'studio',
  'index.ts',
  'cli',
];

const ROOT = path.resolve('src');

const sources = fs
  .readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !/\.(test|d)\.ts$/.test(file));

/** What each file imports from `src/`, types included. */
const imports = new Map(
  sources.map((file) => {
    const targets = importsOf(path.join(ROOT, file)).flatMap(({ target }) => (target.startsWith('.') ? [target] : []));
    return [file, targets.map((target) => path.normalize(path.join(path.dirname(file), target)))] as const;
  }),
);

/** A room within another has a floor of its own. */
const floorOf = (file: string): number => {
  const parts = file.split(path.sep);
  const inner = ROOMS.indexOf(parts.slice(0, 2).join('/'));
  return inner >= 0 ? inner : ROOMS.indexOf(parts[0]!);
};

it('every folder of src is a room with a place in the order', () => {
  const rooms = fs.readdirSync(ROOT);
  expect(rooms.filter((room) => !ROOMS.includes(room))).toEqual([]);
});

it('every import, of types too, stays on its floor or goes down', () => {
  const up = [...imports].flatMap(([file, targets]) =>
    targets.filter((target) => floorOf(target) > floorOf(file)).map((target) => `${file} -> ${target}`),
  );
  expect(up).toEqual([]);
});

it('no file imports itself by a circle of others', () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const walk = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) circles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
    if (done.has(file) || trail.includes(file)) return;
    for (const target of imports.get(file) ?? []) walk(target, [...trail, file]);
    done.add(file);
  };
  for (const file of imports.keys()) walk(file, []);
  expect(circles).toEqual([]);
});
