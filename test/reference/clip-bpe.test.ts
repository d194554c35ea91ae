/** Text cleaning, HTML references, and rows, on a vocabulary of a few merges. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { anyText } from '../support/any-text.ts';
import { ClipBpe, cleaned } from './clip-bpe.ts';
import { unescapeHtml } from './html-entities.ts';

describe('unescapeHtml', () => {
  it.each([
    ['&lt;b&gt; &amp;amp; &quot;', '<b> &amp; "'],
    ['&eacute;&Eacute;&yuml;&nbsp;|&sup2;', 'éÉÿ\u00a0|²'],
    ['&alpha;&Omega;&sigmaf;&hellip;&rarr;&zwj;', 'αΩς…→\u200d'],
    ['&#233; &#xE9; &#x1F600; &#233', 'é é 😀 é'],
    ['&#128; &#0; &#xD800; &#x110000;', '€ \ufffd \ufffd \ufffd'],
    ['AT&T R&D &unknown; &; & &#;', 'AT&T R&D &unknown; &; & &#;'],
    ['&ampx; &copy2024 &alpha', '&x; ©2024 &alpha'],
  ])('%s', (escaped, expected) => expect(unescapeHtml(escaped)).toBe(expected));
});

describe('cleaned', () => {
  it.each([
    ['  Two\u00a0 \t spaces\r\n', 'two spaces'],
    ['&amp;lt;3', '<3'],
    ['\u2018Caf\u0065\u0301\u2019 \ufb01ne \uff21', "'café' fine a"],
    ['ΣΑΣ', 'σας'],
  ])('%s', (text, expected) => expect(cleaned(text)).toBe(expected));
});

describe('ClipBpe', () => {
  const bpe = new ClipBpe([
    ['a', 't</w>'],
    ['c', 'at</w>'],
  ]);

  it('numbers bytes by their stand-ins, then word ends, merges, and specials', () => {
    // "!" is the first printable byte.
    expect(bpe.encode('!')).toEqual([256]);
    expect(bpe.encode('cat at')).toEqual([513, 512]);
    expect([bpe.start, bpe.end]).toEqual([514, 515]);
    expect(bpe.encode('cat <|endoftext|> <|pad|>').slice(0, 2)).toEqual([513, 515]);
  });

  it('pads rows with zeros and ends those that are too long', () => {
    expect([...bpe.rows(['cat', 'at at at'], 4)]).toEqual([514, 513, 515, 0, 514, 512, 512, 515]);
  });

  it('refuses files that are not the published merges, in one line', () => {
    const folder = mkdtempSync(join(tmpdir(), 'clip-bpe-'));
    const file = join(folder, 'merges.gz');
    const refused = () => expect(() => ClipBpe.read(file)).toThrow(/^[^\n]*merges\.gz[^\n]+$/);
    refused();
    for (const content of ['', '#version\na b\nc d', gzipSync('#version\na b'), gzipSync('#version').subarray(0, 12)]) {
      writeFileSync(file, content);
      refused();
      expect(() => ClipBpe.read(file)).toThrow(UserError);
    }
    rmSync(folder, { recursive: true });
  });

  it('decodes what it encoded, word by word', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const ids = bpe.encode(text);
        expect(bpe.decode(ids).replaceAll(' ', '')).toBe(cleaned(text).replaceAll(' ', ''));
      }),
      { numRuns: 40 },
    );
  });
});
