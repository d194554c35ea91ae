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

it('the architecture names every room of src', () => {
  const map = fs.readFileSync('docs/architecture.md', 'utf8');
  expect(fs.readdirSync('src').filter((room) => !new RegExp(`^${room}/? +`, 'm').test(map))).toEqual([]);
});
