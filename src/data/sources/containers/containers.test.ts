/** Archives and tables as people have them, and as nobody should. */

import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { parquetWriteFile } from 'hyparquet-writer';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { UserError } from '../../../base/errors.ts';
import { takeInventory } from '../inventory.ts';
import { openSource } from '../open.ts';
import type { Container } from './container.ts';
import { openContainer } from './open.ts';

let folder: string;
let red: Buffer;
let blue: Buffer;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'clipvq-containers-'));
  const plain = (background: string) =>
    sharp({ create: { width: 8, height: 8, channels: 3, background } })
      .png()
      .toBuffer();
  [red, blue] = [await plain('red'), await plain('blue')];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (...parts: string[]): string => path.join(folder, ...parts);

async function zipped(name: string, entries: readonly (readonly [string, Buffer])[]): Promise<string> {
  const zip = new ZipFile();
  for (const [entry, bytes] of entries) zip.addBuffer(bytes, entry);
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(at(name)));
  return at(name);
}

function tarred(name: string, entries: readonly (readonly [string, Buffer])[], format = 'gnu'): string {
  const from = at(`${name}.d`);
  for (const [entry, bytes] of entries) {
    mkdirSync(path.dirname(path.join(from, entry)), { recursive: true });
    writeFileSync(path.join(from, entry), bytes);
  }
  execFileSync('tar', [`--format=${format}`, '-cf', at(name), '-C', from, ...entries.map(([entry]) => entry)]);
  return at(name);
}

async function contents(container: Container): Promise<Record<string, Buffer>> {
  const all: Record<string, Buffer> = {};
  // Backwards, since whatever reads must read in any order.
  for (let i = container.names.length - 1; i >= 0; i--) all[container.names[i]!] = Buffer.from(await container.read(i));
  await container.close();
  return all;
}

const messageFrom = async (opening: Promise<unknown>): Promise<string> => {
  const error: unknown = await opening.catch((e) => e);
  expect(error).toBeInstanceOf(UserError);
  const text = String((error as UserError).message);
  expect(text).not.toContain('\n');
  return text;
};

describe('zip', () => {
  it('gives every picture at its place, in code unit order, and leaves out what lies beside', async () => {
    const file = await zipped('a.zip', [
      ['z/b.png', blue],
      ['a ☃.png', red],
      ['notes.txt', Buffer.from('words')],
      ['__MACOSX/._a.png', Buffer.from('fork')],
    ]);
    expect(await contents(await openContainer(file))).toEqual({ 'a ☃.png': red, 'z/b.png': blue });
  });

  it('takes names that lead out of it for names', async () => {
    // Same length, so that the archive stays whole.
    const file = await zipped('slip.zip', [['aaaaaaaa.png', red]]);
    const bytes = readFileSync(file).toString('latin1').replaceAll('aaaaaaaa.png', '../../ab.png');
    writeFileSync(file, Buffer.from(bytes, 'latin1'));
    expect(Object.keys(await contents(await openContainer(file)))).toEqual(['../../ab.png']);
  });

  it('refuses an entry that would fill the memory, before it does', async () => {
    const file = await zipped('bomb.zip', [
      ['bomb.png', Buffer.alloc(4 << 20)],
      ['good.png', red],
    ]);
    const bytes = readFileSync(file);
    // In the directory: the stated size, not what is packed.
    const entry = bytes.indexOf(Buffer.from('504b0102', 'hex'));
    bytes.writeUInt32LE(0xf0000000, entry + 24);
    writeFileSync(file, bytes);
    const container = await openContainer(file);
    expect(container.names).toEqual(['good.png']);
    expect(container.rejected).toEqual([{ path: 'bomb.png', reason: '3.8 GiB is more than the limit of 1 GiB' }]);
    await container.close();
  });

  it('says of encrypted entries what to do', async () => {
    const file = await zipped('secret.zip', [['a.png', red]]);
    const bytes = readFileSync(file);
    const entry = bytes.indexOf(Buffer.from('504b0102', 'hex'));
    bytes.writeUInt16LE(bytes.readUInt16LE(entry + 8) | 1, entry + 8);
    writeFileSync(file, bytes);
    expect((await openContainer(file)).rejected).toMatchObject([
      { path: 'a.png', reason: expect.stringContaining('encrypted') },
    ]);
  });

  it('ends in one line when it is cut off', async () => {
    const file = await zipped('cut.zip', [['a.png', red]]);
    writeFileSync(file, readFileSync(file).subarray(0, 60));
    expect(await messageFrom(openContainer(file))).toContain('Cannot read the zip archive');
  });
});

describe('tar', () => {
  const long = `${'d'.repeat(90)}/${'e'.repeat(120)}.png`;
  it.each(['ustar', 'gnu', 'pax'])('%s: reads in place, long names and WebDataset samples included', async (format) => {
    const entries: [string, Buffer][] = [
      ['000.jpg', red],
      ['000.txt', Buffer.from('a caption that is not looked at')],
      ['000.json', Buffer.from('{}')],
      ['001.jpg', blue],
      ...(format === 'ustar' ? [] : ([[long, red]] as [string, Buffer][])),
    ];
    const file = tarred(`${format}.tar`, entries, format);
    expect(await contents(await openContainer(file))).toEqual({
      '000.jpg': red,
      '001.jpg': blue,
      ...(format !== 'ustar' && { [long]: red }),
    });
  });

  it('says where it is damaged or cut off', async () => {
    const file = tarred('damaged.tar', [
      ['a.png', red],
      ['b.png', blue],
    ]);
    const bytes = readFileSync(file);
    writeFileSync(at('cut.tar'), bytes.subarray(0, 600));
    expect(await messageFrom(openContainer(at('cut.tar')))).toContain('cut off');
    const second = bytes.indexOf('b.png');
    bytes[second] = 0x7a;
    writeFileSync(file, bytes);
    expect(await messageFrom(openContainer(file))).toContain(`the header at byte ${second} is damaged`);
  });

  it('altered anywhere, it ends in one line or in pictures, never in a heap of memory', async () => {
    const bytes = readFileSync(tarred('fuzz.tar', [['a.png', red]], 'pax'));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2047 }), fc.integer({ min: 0, max: 255 }), async (index, value) => {
        const altered = Buffer.from(bytes);
        altered[index] = value;
        writeFileSync(at('altered.tar'), altered);
        const container = await openContainer(at('altered.tar')).catch((error: unknown) => {
          expect(error).toBeInstanceOf(UserError);
        });
        await container?.close();
      }),
      { numRuns: 60 },
    );
  });

  it('says what to do with a packed one', async () => {
    writeFileSync(at('a.tar.gz'), Buffer.from('1f8b0800', 'hex'));
    expect(await messageFrom(openContainer(at('a.tar.gz')))).toContain('unpack it');
  });
});

describe('Parquet', () => {
  const image = (rows: readonly (Buffer | null)[]) => ({
    name: 'image',
    data: rows.map((bytes, i) => (bytes ? { bytes: Uint8Array.from(bytes), path: `${i}.png` } : null)),
  });
  const schema = [
    { name: 'root', num_children: 2 },
    { name: 'image', num_children: 2, repetition_type: 'OPTIONAL' },
    { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
    { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    { name: 'label', type: 'INT32', repetition_type: 'REQUIRED' },
  ] as const;

  function write(name: string, rows: readonly (Buffer | null)[]): string {
    parquetWriteFile({
      filename: at(name),
      schema: [...schema],
      columnData: [image(rows), { name: 'label', data: Int32Array.from(rows, (_, i) => i) }],
      rowGroupSize: 2,
    });
    return at(name);
  }

  it('reads the pictures of all row groups, in any order', async () => {
    const file = write('train.parquet', [red, blue, blue, red, red]);
    expect(await contents(await openContainer(file))).toEqual({
      'row-0': red,
      'row-1': blue,
      'row-2': blue,
      'row-3': red,
      'row-4': red,
    });
  });

  it('lists rows without a picture', async () => {
    const { pictures, rejected } = await takeInventory(await openContainer(write('gaps.parquet', [red, null])));
    expect(pictures.map(({ name }) => name)).toEqual(['row-0']);
    expect(rejected).toEqual([{ path: 'row-1', reason: 'no picture in column image of this row' }]);
  });

  it('says what is missing', async () => {
    parquetWriteFile({
      filename: at('words.parquet'),
      columnData: [{ name: 'text', data: ['a', 'b'], type: 'STRING' }],
    });
    expect(await messageFrom(openContainer(at('words.parquet')))).toContain('no column of pictures');
    writeFileSync(at('cut.parquet'), readFileSync(at('words.parquet')).subarray(0, 40));
    expect(await messageFrom(openContainer(at('cut.parquet')))).toContain('Cannot read the Parquet file');
  });
});

describe('a folder of shards', () => {
  it('opens the archives in it, uses the good ones and names the broken one', async () => {
    mkdirSync(at('shards'));
    tarred('shards/0.tar', [['a.png', red]]);
    await rm(at('shards/0.tar.d'), { recursive: true });
    await zipped('shards/1.zip', [['b.png', blue]]);
    writeFileSync(at('shards/2.tar'), readFileSync(at('shards/0.tar')).subarray(0, 560));
    writeFileSync(at('shards/c.png'), red);
    const rejected: unknown[] = [];
    const source = await openSource(at('shards'), {
      faces: { seed: 0, count: 1, offset: 0 },
      onRejected: (one) => rejected.push(one),
    });
    expect(Array.from({ length: source.size }, (_, i) => source.id(i))).toEqual([
      '0.tar/a.png',
      '1.zip/b.png',
      'c.png',
    ]);
    expect(rejected).toMatchObject([{ path: '2.tar', reason: expect.stringContaining('cut off') }]);
    // The same picture is the same, wherever it lies.
    expect(source.contentId(0)).toBe(source.contentId(2));
    expect(source.contentId(0)).not.toBe(source.contentId(1));
    expect([...(await source.read(1, 4)).data.subarray(0, 3)]).toEqual([0, 0, 255]);
  });
});
