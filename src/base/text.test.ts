import { expect, it } from 'vitest';
import { UserError } from './errors.ts';
import { decodeText, printable } from './text.ts';

it('prints names on one line, without control of the terminal', () => {
  expect(printable('a\nb\x1b[31m\x7f\x9b.png')).toBe('a\\nb\\x1b[31m\\x7f\\x9b.png');
  expect(printable('\u202egnp.exe\u2028')).toBe('\\u202egnp.exe\\u2028');
  expect(printable('half \ud800 of a pair')).toBe('half \\ud800 of a pair');
  expect(printable('猫 ☃ é 😀.png')).toBe('猫 ☃ é 😀.png');
});

it('reads UTF-8 and UTF-16, with and without a byte order mark', () => {
  const text = '{"image": "a.png", "text": "grün ☃"}\n';
  const swapped = (bytes: Buffer) => Buffer.from(bytes).swap16();
  const utf16 = Buffer.from(text, 'utf16le');
  for (const bytes of [
    Buffer.from(text),
    Buffer.from(`\ufeff${text}`),
    utf16,
    Buffer.from(`\ufeff${text}`, 'utf16le'),
    swapped(utf16),
    swapped(Buffer.from(`\ufeff${text}`, 'utf16le')),
  ])
    expect(decodeText(bytes, 'file')).toBe(text);
});

it('names the file and what to do where the text is of another encoding', () => {
  expect(() => decodeText(Buffer.from('gr\xfcn', 'latin1'), 'prompts.txt')).toThrow(
    new UserError('prompts.txt is no text in UTF-8 or UTF-16: save it as UTF-8'),
  );
});
