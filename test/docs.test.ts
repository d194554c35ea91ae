import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';

const documents = ['README.md', 'CONTRIBUTING.md', ...fs.readdirSync('docs').map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
);

/** Paths of this repository that a text names in code marks; `<name>` stands for anything. */
const pathsIn = (text: string): string[] =>
  [...text.matchAll(/`((?:src|test|scripts|examples|bench|docs|models)\/[\w./<>*-]+)`/g)].map((match) => match[1]!);

it.each(documents)('every file that %s names exists', (document) => {
  const named = pathsIn(fs.readFileSync(document, 'utf8')).filter((name) => !/[<*]/.test(name));
  expect(named.filter((name) => !fs.existsSync(name))).toEqual([]);
});

it.each(documents)('every link of %s to a file leads to one', (document) => {
  const text = fs.readFileSync(document, 'utf8');
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map((match) => match[1]!);
  expect(links.filter((link) => !fs.existsSync(path.join(path.dirname(document), link)))).toEqual([]);
});

it('the architecture names every room of src once', () => {
  const [, map = ''] = fs.readFileSync('docs/architecture.md', 'utf8').split('```');
  const timesNamed = (room: string) => map.match(new RegExp(`^${room}/? +`, 'gm'))?.length;
  expect(fs.readdirSync('src').filter((room) => timesNamed(room) !== 1)).toEqual([]);
});

it('every function that docs/paper.md names is in the file named before it', () => {
  const sources = ['src', 'test'].flatMap((root) =>
    fs.readdirSync(root, { recursive: true, encoding: 'utf8' }).map((file) => path.join(root, file)),
  );
  const missing: string[] = [];
  let checked = 0;
  for (const row of fs
    .readFileSync('docs/paper.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'))) {
    let file: string | undefined;
    // The second column of the equations; in other tables no file is named.
    for (const [, name = ''] of (row.split(' | ')[1] ?? '').matchAll(/`([^`]+)`/g)) {
      if (name.endsWith('.ts')) file = sources.find((source) => source.endsWith(`/${name}`) || source === name);
      if (name.endsWith('.ts') && file === undefined) missing.push(name);
      if (name.endsWith('.ts') || file === undefined) continue;
      checked++;
      const word = new RegExp(`\\b${name.split('.').at(-1)}\\b`);
      if (!word.test(fs.readFileSync(file, 'utf8'))) missing.push(`${file} ${name}`);
    }
  }
  expect(missing).toEqual([]);
  expect(checked).toBeGreaterThan(20);
});

/** Lines of prose in Markdown: neither tables nor code. */
function proseOf(text: string): string[] {
  let isCode = false;
  return text.split('\n').filter((line) => {
    if (/^\s*```/.test(line)) isCode = !isCode;
    return !isCode && !/^\s*\|/.test(line);
  });
}

const commentsOf = (text: string): string[] => text.split('\n').filter((line) => /^\s*(\/\*\*|\*|\/\/)/.test(line));

it('prose wraps at 120 columns, in documents and in comments; `npm run format` wraps it', () => {
  // What cannot be broken, a path or a command, may be longer.
  const isLong = (line: string) => line.length > 120 && !/^\s*(`[^`]*`|\S+)$/.test(line);
  const sources = ['src', 'pages', 'scripts', 'test', 'bench', 'examples'].flatMap((folder) =>
    fs
      .readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.([cm]?[jt]s|tsx)$/.test(file))
      .map((file) => path.join(folder, file)),
  );
  const lines = [
    ...[...documents, 'CHANGELOG.md'].map((file) => [file, proseOf(fs.readFileSync(file, 'utf8'))] as const),
    ...sources.map((file) => [file, commentsOf(fs.readFileSync(file, 'utf8'))] as const),
  ];
  expect(lines.flatMap(([file, all]) => all.filter(isLong).map((line) => `${file}: ${line}`))).toEqual([]);
});
