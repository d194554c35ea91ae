/**
 * Wraps comments and the prose of the documents at 120 columns, in the files that are named or in all of them. Only
 * comments and paragraphs with a longer line are touched; tables, code and indented formulas stay as they are.
 */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const WIDTH = 120;
const ITEM = /^(\s*(?:[-*>]|\d+\.) +)(\S.*)$/;

/** Words of a text; code between backquotes and short lists between brackets stay in one piece. */
const wordsOf = (text) => text.match(/(?:`[^`]+`|\[[^\]]{0,40}\]|\S)+/g) ?? [];

/** Words as lines, of which the first begins with `lead` and the others with `hang`. */
function fill(words, lead, hang) {
  const lines = [];
  let line = lead + words[0];
  for (const word of words.slice(1)) {
    if (line.length + 1 + word.length <= WIDTH) line += ` ${word}`;
    else {
      lines.push(line);
      line = hang + word;
    }
  }
  return [...lines, line];
}

/**
 * Lines without the mark of their comment, wrapped behind `prefix`: paragraphs, items of lists and tags each by itself.
 */
function wrapped(lines, prefix = '') {
  const result = [];
  let paragraph;
  const flush = () => {
    if (paragraph) result.push(...fill(paragraph.words, prefix + paragraph.lead, prefix + paragraph.hang));
    paragraph = undefined;
  };
  const begin = (lead, hang, text) => {
    flush();
    paragraph = { lead, hang, words: wordsOf(text) };
  };
  for (const line of lines) {
    const [, mark, text] = ITEM.exec(line) ?? [];
    if (line.trim() === '') {
      flush();
      result.push(prefix.trimEnd());
    } else if (mark) begin(mark, mark.trim() === '>' ? mark : ' '.repeat(mark.length), text);
    else if (/^@\w/.test(line)) begin('', '', line);
    else if (paragraph && (paragraph.hang !== '' || !line.startsWith('  '))) paragraph.words.push(...wordsOf(line));
    else if (line.startsWith('  ')) {
      flush();
      result.push(prefix + line);
    } else begin('', '', line);
  }
  flush();
  return result;
}

const fits = (lines) => lines.every((line) => line.length <= WIDTH);

/** The text of a TypeScript file with its comments wrapped. */
function wrapComments(text) {
  const lines = text.split('\n');
  const result = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const [, indent = '', mark, rest] = /^(\s*)(\/\*\*|\/\/)(?: (.*))?$/.exec(line) ?? [];
    if (mark === '//' && rest !== undefined) {
      const prefix = `${indent}// `;
      let end = i + 1;
      while (lines[end]?.startsWith(prefix)) end++;
      const block = lines.slice(i, end);
      result.push(
        ...(fits(block)
          ? block
          : wrapped(
              block.map((one) => one.slice(prefix.length)),
              prefix,
            )),
      );
      i = end - 1;
    } else if (mark === '/**' && rest === undefined) {
      const end = lines.findIndex((one, at) => at > i && one.trim() === '*/');
      const block = lines.slice(i + 1, end);
      const bare = block.map((one) => one.replace(/^\s*\* ?/, ''));
      result.push(line, ...(fits(block) ? block : wrapped(bare, `${indent} * `)), lines[end]);
      i = end;
    } else if (mark === '/**' && rest.endsWith(' */') && line.length > WIDTH)
      result.push(`${indent}/**`, ...wrapped([rest.slice(0, -3)], `${indent} * `), `${indent} */`);
    else result.push(line);
  }
  return result.join('\n');
}

/** The text of a Markdown file with its prose wrapped. */
function wrapMarkdown(text) {
  const result = [];
  let block = [];
  let isCode = false;
  const flush = () => {
    result.push(...(fits(block) ? block : wrapped(block)));
    block = [];
  };
  for (const line of text.split('\n')) {
    const isFence = /^\s*```/.test(line);
    if (isFence) isCode = !isCode;
    if (!isFence && !isCode && line.trim() !== '' && !/^\s*(\||#|<|!\[)/.test(line)) block.push(line);
    else {
      flush();
      result.push(line);
    }
  }
  flush();
  return result.join('\n');
}

const root = fileURLToPath(new URL('..', import.meta.url));

/** The files of a folder of the repository, and of those below it unless it is the repository itself. */
const filesIn = (folder, ending) =>
  fs
    .readdirSync(path.join(root, folder), { recursive: folder !== '.', encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => path.join(root, folder, name));

const all = () => [
  ...['src', 'pages', 'scripts', 'test', 'bench', 'examples'].flatMap((folder) =>
    filesIn(folder, /\.([cm]?[jt]s|tsx)$/),
  ),
  ...['docs', '.'].flatMap((folder) => filesIn(folder, /\.md$/)),
];

const named = process.argv.slice(2);
for (const file of named.length > 0 ? named : all()) {
  const text = fs.readFileSync(file, 'utf8');
  const better = file.endsWith('.md') ? wrapMarkdown(text) : wrapComments(text);
  if (better !== text) fs.writeFileSync(file, better);
}
