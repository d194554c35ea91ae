/** PNG text without Node: what is written, what is read, and what takes an inflater. */

import { deflateSync, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../files/crc32.ts';
import { textOf, withText } from './png-text.ts';

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** A chunk: length, type, data, checksum. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = Uint8Array.of(...latin1(type), ...data);
  const framed = new Uint8Array(body.length + 8);
  new DataView(framed.buffer).setUint32(0, data.length);
  framed.set(body, 4);
  new DataView(framed.buffer).setUint32(body.length + 4, crc32(body));
  return framed;
}

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** A file of chunks; nobody here looks at the pixels. */
const png = (...chunks: readonly Uint8Array[]) =>
  Uint8Array.of(...signature, ...chunks.flatMap((piece) => [...piece]), ...chunk('IDAT', Uint8Array.of(1, 2, 3)));
const packed = (text: string) => deflateSync(latin1(text));

describe('text in a PNG', () => {
  it('is inserted before the image data and read back, whatever the script, and leaves all other bytes alone', () => {
    const plain = png(chunk('gAMA', Uint8Array.of(0, 0, 1, 0)));
    const texts = { Prompt: 'a cat', Title: '\ufeff猫 🐈', Empty: '' };
    const written = withText(plain, texts);
    expect(textOf(written)).toEqual(texts);
    expect(written.length).toBeGreaterThan(plain.length);
    expect(written.subarray(0, 24)).toEqual(plain.subarray(0, 24));
    expect(written.subarray(-15)).toEqual(plain.subarray(-15));
    // A view into a larger buffer is as good.
    const padded = Uint8Array.of(9, 9, 9, ...written);
    expect(textOf(padded.subarray(3))).toEqual(texts);
  });

  it('is XMP in an iTXt chunk, as its readers expect it, though it may be ASCII', () => {
    const written = withText(png(), { 'XML:com.adobe.xmp': '<x/>', Software: 'x' });
    const found = (type: string) => Buffer.from(written).includes(type);
    expect([found('iTXtXML:com.adobe.xmp'), found('tEXtSoftware'), found('tEXtXML')]).toEqual([true, true, false]);
    expect(textOf(written)).toEqual({ 'XML:com.adobe.xmp': '<x/>', Software: 'x' });
  });

  it('that is compressed is read with an inflater, and left out without one', () => {
    const file = png(
      chunk('tEXt', latin1('Plain\0caf\xe9')),
      chunk('zTXt', Uint8Array.of(...latin1('Packed\0\0'), ...packed('na\xefve'))),
      chunk('iTXt', Uint8Array.of(...latin1('Both\0\x01\0en\0titre\0'), ...packed('text'))),
    );
    expect(textOf(file)).toEqual({ Plain: 'café' });
    expect(textOf(file, (data) => inflateSync(data))).toEqual({ Plain: 'café', Packed: 'naïve', Both: 'text' });
  });

  it('is refused where the file holds no picture or a chunk without a keyword', () => {
    expect(() => withText(signature, {})).toThrow(/no image data/);
    expect(() => textOf(png(chunk('tEXt', latin1('\0x'))))).toThrow(/has no keyword/);
    expect(() => textOf(png(chunk('iTXt', latin1('a\0\0\0en'))))).toThrow(/iTXt chunk is incomplete/);
  });
});
