/**
 * The package as other projects get it: what is packed, what its types say to a strict project, and both of its doors.
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unexportedTypes } from './support/declarations.ts';
import { skipped } from './support/skip.ts';

const root = path.resolve('.');
const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-package-')));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const at = (...parts: string[]) => path.join(folder, ...parts);

/** Writes the files of this folder by their names alone: npm compresses all that it packs, to list it too. */
function writeEmptied(place: string): void {
  const parts = fs.readdirSync(root).filter((name) => name !== 'node_modules' && name !== '.git');
  const isFile = (name: string) => fs.statSync(name).isFile();
  const within = (part: string) =>
    isFile(part)
      ? [part]
      : fs.readdirSync(part, { encoding: 'utf8', recursive: true }).map((name) => path.join(part, name));
  for (const name of parts.flatMap(within).filter(isFile)) {
    fs.mkdirSync(path.dirname(path.join(place, name)), { recursive: true });
    fs.writeFileSync(path.join(place, name), '');
  }
  fs.copyFileSync('package.json', path.join(place, 'package.json'));
}

describe('npm pack', () => {
  let names: readonly string[];
  beforeAll(() => {
    // Without prepack: what it builds, the tests have built already.
    writeEmptied(at('emptied'));
    const pack = ['pack', '--dry-run', '--json', '--ignore-scripts'];
    const options = { cwd: at('emptied'), encoding: 'utf8', shell: process.platform === 'win32' } as const;
    const [{ files }] = JSON.parse(spawnSync('npm', pack, options).stdout) as [{ files: { path: string }[] }];
    names = files.map((file) => file.path);
  });

  it('packs every file that package.json names', () => {
    const { exports, bin } = JSON.parse(fs.readFileSync('package.json', 'utf8')) as { exports: unknown; bin: unknown };
    const named = JSON.stringify([exports, bin]).match(/"(\.\/)?[\w/-]+\.[\w.]+"/g)!;
    const paths = named.map((name) => name.replaceAll('"', '').replace('./', ''));
    expect(paths.length).toBeGreaterThan(5);
    expect(paths.filter((name) => !names.includes(name))).toEqual([]);
  });

  it('packs neither tests nor source maps, build state or pictures of the documentation', () => {
    expect(names.filter((name) => /\.test\.|\.map$|tsbuildinfo|\.png$|^src\/|^test\//.test(name))).toEqual([]);
  });
});

describe('types', () => {
  it('are exported where a public signature names them', () => {
    const { checked, missing } = unexportedTypes(path.join(root, 'dist', 'index.d.ts'));
    expect(missing).toEqual([]);
    expect(checked).toBeGreaterThan(50);
  });

  const names = ['index.ts', 'index.mts', 'index.cts'];

  beforeAll(async () => {
    const { rewriteDeclarations } = (await import(path.join(root, 'scripts', 'declarations.mjs'))) as {
      rewriteDeclarations: (folder: string) => void;
    };
    const own = at('node_modules', 'clip-vqdiffusion');
    fs.mkdirSync(own, { recursive: true });
    const isDeclaration = (file: string) => fs.statSync(file).isDirectory() || /\.d\.c?ts$/.test(file);
    for (const part of ['dist', 'cjs'])
      fs.cpSync(path.join(root, part), path.join(own, part), { recursive: true, filter: isDeclaration });
    fs.copyFileSync(path.join(root, 'package.json'), path.join(own, 'package.json'));
    rewriteDeclarations(path.join(own, 'dist'));
    // Of its dependencies, those whose types it uses.
    for (const name of ['zod', '@types', 'undici-types'])
      fs.symlinkSync(path.join(root, 'node_modules', name), at('node_modules', name), 'junction');
    for (const name of names) fs.copyFileSync(path.join(root, 'test', 'support', 'consumer.ts'), at(name));
    fs.cpSync(path.join(root, 'examples'), at('examples'), { recursive: true });
    // It is for programs with another ONNX Runtime, which this project does not have.
    fs.rmSync(at('examples', 'onnx.mjs'));
  });

  it.each([
    ['nodenext', 'nodenext'],
    ['bundler', 'esnext'],
  ])(
    'compile in a strict project without skipLibCheck under moduleResolution %s, examples too',
    (moduleResolution, module) => {
      const compilerOptions = {
        ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
        ...{ target: 'es2022', lib: ['es2022'], types: [], noEmit: true, allowJs: true, checkJs: true },
        ...{ module, moduleResolution },
      };
      fs.writeFileSync(at('tsconfig.json'), JSON.stringify({ compilerOptions, include: [...names, 'examples'] }));
      const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
      const { stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
      expect(stdout).toBe('');
    },
  );
});

describe('require', () => {
  const required = createRequire(path.join(root, 'test', 'package.test.ts'))('clip-vqdiffusion') as Record<
    string,
    unknown
  >;

  it('gives the same names as import', async () => {
    const imported = (await import(path.join(root, 'dist', 'index.js'))) as object;
    expect(Object.keys(required).sort()).toEqual(Object.keys(imported).sort());
  });

  it('gives functions that work, and error classes that fit what they throw', async () => {
    const { Generator, Interrupted, UserError, makeRecipe } = required as {
      Generator: { load: (folder: string) => Promise<unknown> };
      Interrupted: new () => Error;
      UserError: new (message: string) => Error;
      makeRecipe: (preset: string) => Promise<{ imageSize: number }>;
    };
    expect(await makeRecipe('nano')).toMatchObject({ imageSize: 64 });
    const error = await Generator.load('nowhere').catch((error: unknown) => error);
    expect([error instanceof UserError, error instanceof Interrupted]).toEqual([true, false]);
    expect(new UserError('no')).toMatchObject({ name: 'UserError', message: 'no' });
  });
});

describe('an installation', () => {
  it('runs no install script of onnxruntime-node in a clone', () => {
    const lock = JSON.parse(fs.readFileSync('package-lock.json', 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean }>;
    };
    // npm install writes it again: take it out, as scripts/setup.mjs explains.
    expect(lock.packages['node_modules/onnxruntime-node']).not.toHaveProperty('hasInstallScript');
  });

  it.skipIf(
    skipped(process.platform !== 'linux' || process.arch !== 'x64', 'the script preinstall', 'it is for Linux on x64'),
  )(
    'in another project needs no NuGet, but leaves CUDA to those who ask for it or name onnxruntime-node themselves',
    () => {
      const install = (name: string, env: Record<string, string>, dependencies = {}) => {
        const project = at(name);
        const runtime = path.join(project, 'node_modules', 'onnxruntime-node');
        const libraries = path.join(runtime, 'bin', 'napi-v6', 'linux', 'x64');
        const script = path.join(project, 'node_modules', 'clip-vqdiffusion', 'scripts', 'preinstall.cjs');
        for (const parent of [libraries, path.join(runtime, 'script'), path.dirname(script)])
          fs.mkdirSync(parent, { recursive: true });
        fs.writeFileSync(path.join(runtime, 'script', 'install.js'), '');
        fs.writeFileSync(path.join(project, 'package.json'), JSON.stringify({ dependencies }));
        fs.copyFileSync(path.join(root, 'scripts', 'preinstall.cjs'), script);
        const all = { PATH: process.env.PATH ?? '', npm_config_local_prefix: project, ...env };
        expect(spawnSync(process.execPath, [script], { env: all, encoding: 'utf8' })).toMatchObject({
          status: 0,
          stderr: '',
        });
        return fs.readdirSync(libraries).sort();
      };
      expect(install('plain', {})).toEqual(
        ['cuda', 'shared', 'tensorrt'].map((name) => `libonnxruntime_providers_${name}.so`),
      );
      expect(install('cuda', { npm_config_onnxruntime_node_install: 'cuda12' })).toEqual([]);
      expect(install('own', {}, { 'onnxruntime-node': '1.30.0' })).toEqual([]);
    },
  );
});
