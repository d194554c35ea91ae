import { expect, it } from 'vitest';
import { identify, inPlaceOfFile, NOT_A_PICTURE } from './identify.ts';

const latin = (text: string): Buffer => Buffer.from(text.padEnd(64, '\0'), 'latin1');

it.each([
  ['jpeg', '\xff\xd8\xff\xe0'],
  ['png', '\x89PNG\r\n\x1a\n'],
  ['webp', 'RIFF\x10\0\0\0WEBPVP8 '],
  ['avif', '\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf'],
  ['gif', 'GIF89a'],
  ['tiff', 'MM\0*'],
  ['svg', '<?xml version="1.0"?>\n<!-- drawn --><svg xmlns="http://www.w3.org/2000/svg">'],
  ['svg', '\xef\xbb\xbf <svg:svg width="3">'],
])('knows %s by its content', (format, head) => {
  expect(identify(latin(head), 'called.anything')).toEqual({ format });
});

it.each([
  ['a camera raw file (Canon CR2)', 'II*\0\x10\0\0\0CR\x02\0'],
  ['a camera raw file (Canon CR3)', '\0\0\0\x18ftypcrx \0\0\0\x01crx isom'],
  ['a camera raw file (Fujifilm RAF)', 'FUJIFILMCCD-RAW 0201'],
  ['a camera raw file (Olympus ORF)', 'IIRO\x08\0\0\0'],
  ['a camera raw file (Panasonic RW2)', 'IIU\0\x18\0\0\0'],
  ['a PNG that Xcode has rewritten', '\x89PNG\r\n\x1a\n\0\0\0\x04CgBI'],
  ['HEIC', '\0\0\0\x18ftypheic\0\0\0\0mif1heic'],
  ['JPEG XL', '\xff\x0a\xfa'],
  ['JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n'],
  ['Photoshop PSD', '8BPS\0\x01'],
  ['PDF', '%PDF-1.7'],
  ['a video', '\0\0\0\x18ftypisom\0\0\x02\0isomavc1mp41'],
  ['packed with gzip', '\x1f\x8b\x08\0'],
  ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\n'],
])('says that it is %s, and what to do', (what, head) => {
  const identity = identify(latin(head), 'a.jpg');
  expect(identity).toEqual({ reason: expect.stringContaining(what) });
  expect('reason' in identity && identity.reason).toMatch(/: .+|git lfs pull/);
});

it('knows what lies in the place of a file, whatever its name', () => {
  expect(inPlaceOfFile('../../../blobs/0123abcd')).toContain("a link into a hub's cache");
  expect(inPlaceOfFile('notes about ../blobs/0123abcd')).toBeUndefined();
  expect(inPlaceOfFile('\x89PNG\r\n')).toBeUndefined();
});

it('tells a broken picture from a file that claims to be none', () => {
  expect(identify(Buffer.from('words'), 'notes.txt')).toEqual({ reason: NOT_A_PICTURE });
  expect(identify(latin('RIFF\x10\0\0\0WAVEfmt '), 'sound.wav')).toEqual({ reason: NOT_A_PICTURE });
  expect(identify(Buffer.alloc(0), 'empty.txt')).toEqual({ reason: NOT_A_PICTURE });
  expect(identify(Buffer.alloc(0), 'empty.PNG')).toEqual({ reason: 'empty: 0 bytes' });
  expect(identify(Buffer.from('<html><body>404'), 'a.jpg')).toEqual({
    reason: 'named .jpg but a web page: download it again',
  });
  const link = `../../blobs/${'0f'.repeat(32)}`;
  for (const [text, reason] of [
    [link, "a link into a hub's cache that was saved as text"],
    [`${link}\n`, "a link into a hub's cache that was saved as text"],
    ['../originals/a.jpg', 'a symbolic link that was saved as text'],
    ['https://example.org/a.jpg\n', 'the address of a file and not the file'],
    ['<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', 'the error message of a server'],
    ['{"error":"not found"}', 'the error message of a server'],
  ] as const)
    expect(identify(Buffer.from(text), 'a.jpg')).toEqual({
      reason: expect.stringContaining(`named .jpg but ${reason}`),
    });
  expect(identify(Buffer.from('words'), 'a.jpg')).toEqual({ reason: 'named .jpg but text and no picture' });
});
