/** What must run in a browser takes nothing of Node along. */

import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf, importClosure } from './support/imports.ts';

/**
 * Generation from embedded prompt to pixels, the executor for browsers, and what a page needs besides: weights,
 * prompts' tokens, PNG text.
 */
const ENTRIES = [
  'src/generation/draw.ts',
  'src/generation/options.ts',
  'src/data/pictures/made-by-machine.ts',
  'src/generation/embedding.ts',
  'src/generation/provenance.ts',
  'src/web/executor.ts',
  'src/web/page-generator.ts',
  'src/checkpoint/safetensors-bytes.ts',
  'src/embedding/compact/bpe.ts',
  'src/data/pictures/png-text.ts',
];
const NODE_ONLY = /\b(?:Buffer|process|require|__dirname|__filename|global|setImmediate)\b/;

const { files, packages } = importClosure(ENTRIES, { late: true });
const names = files.map((file) => path.relative('src', file).replaceAll(path.sep, '/'));

describe('generation in a browser', () => {
  it('loads the samplers, the networks, the graph and the recipe', () => {
    expect(names).toEqual(
      expect.arrayContaining([
        'diffusion/samplers/index.ts',
        'diffusion/transformer.ts',
        'graph/onnx.ts',
        'recipe/schema.ts',
        'vqgan/codec.ts',
      ]),
    );
  });

  it('loads no module but zod, whole, so that bundlers can leave out what is not used', () => {
    expect([...packages.keys()]).toEqual(['zod']);
    expect(packages.get('zod')!.filter((clause) => clause !== '* as z from')).toEqual([]);
  });

  it('uses nothing that only Node has', () => {
    const found = files.flatMap((file) => {
      const name = NODE_ONLY.exec(codeOf(file))?.[0] ?? (/import\.meta/.test(codeOf(file)) ? 'import.meta' : undefined);
      return name === undefined ? [] : [`${path.relative('src', file)}: ${name}`];
    });
    expect(found).toEqual([]);
  });
});

describe('the walk', () => {
  it('finds what Node takes along elsewhere', () => {
    const node = importClosure(['src/generation/generator.ts'], { late: true });
    expect([...node.packages.keys()]).toEqual(
      expect.arrayContaining(['node:crypto', 'node:worker_threads', 'node:fs']),
    );
  });
});
