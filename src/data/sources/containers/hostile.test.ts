/** Archives that are made to hang, to fill memory or to pass over what they hold. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteFile } from 'hyparquet-writer';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { skipped } from '../../../../test/support/skip.ts';
import { UserError } from '../../../base/errors.ts';
import { takeInventory } from '../inventory.ts';
import { openContainer } from './open.ts';

let folder: string;
let red: Buffer;
beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-hostile-'));
  red = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const at = (...parts: string[]): string => path.join(folder, ...parts);

const write = (name: string, ...parts: readonly Buffer[]): string => {
  fs.mkdirSync(path.dirname(at(name)), { recursive: true });
  fs.writeFileSync(at(name), Buffer.concat(parts));
  return at(name);
};

async function look(where: string) {
  const { pictures, rejected } = await takeInventory(await openContainer(where));
  return {
    names: pictures.map(({ name }) => name),
    reasons: Object.fromEntries(rejected.map((r) => [r.path, r.reason])),
  };
}

async function refusal(where: string): Promise<string> {
  const error: unknown = await openContainer(where).catch((e) => e);
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
}

describe('tar', () => {
  interface Entry {
    readonly type?: string;
    readonly link?: string;
    /** The field of the size, where it is not the size of the bytes. */
    readonly size?: Buffer;
  }

  function entry(name: string, bytes: Buffer, { type = '0', link = '', size }: Entry = {}): Buffer {
    const header = Buffer.alloc(512);
    header.write(name, 0, 'latin1');
    header.write('0000644\0', 100, 'latin1');
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
    size?.copy(header, 124);
    header.write(type, 156, 'latin1');
    header.write(link, 157, 'latin1');
    header.write('ustar\x0000', 257, 'latin1');
    header.fill(' ', 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
  }
  const end = Buffer.alloc(1024);
  const pax = (key: string, value: string): Buffer => {
    const rest = ` ${key}=${value}\n`;
    const length = rest.length + `${rest.length + 2}`.length;
    return entry('pax', Buffer.from(`${length}${rest}`), { type: 'x' });
  };

  it.each([
    ['a negative octal number', Buffer.from('-0000001000\0')],
    ['a negative binary number', Buffer.concat([Buffer.alloc(10, 0xff), Buffer.from([0xfe, 0x00])])],
    ['no number', Buffer.from('0000zz01000\0')],
  ])('refuses a size that is %s', async (_, size) => {
    const file = write('size.tar', entry('ok.png', red), entry('x.png', Buffer.alloc(0), { size }), end);
    expect(await refusal(file)).toContain('states no size');
  });

  it.each(['-1536', '1e15', '0x200'])('refuses the size %s of an extended header', async (size) => {
    const file = write('pax.tar', entry('ok.png', red), pax('size', size), entry('x.png', Buffer.alloc(0)), end);
    expect(await refusal(file)).toMatch(/states no size|cut off/);
  });

  it('reads sizes that are written in binary', async () => {
    const size = Buffer.alloc(12);
    size[0] = 0x80;
    size.writeUInt32BE(red.length, 8);
    expect((await look(write('binary.tar', entry('a.png', red, { size }), end))).names).toEqual(['a.png']);
  });

  it('lists links, sparse files, names that come twice, and what lies behind the end mark', async () => {
    const blue = Buffer.concat([red, Buffer.from('other')]);
    const file = write(
      'strange.tar',
      ...[entry('a.png', red), entry('hard.png', Buffer.alloc(0), { type: '1', link: 'a.png' })],
      ...[entry('soft.png', Buffer.alloc(0), { type: '2', link: '/etc/passwd' }), entry('gap.png', red, { type: 'S' })],
      ...[pax('GNU.sparse.name', 'gap2.png'), entry('GNUSparseFile.0/gap2.png', red)],
      ...[entry('fifo.png', Buffer.alloc(0), { type: '6' }), entry('a.png', blue), end, entry('late.png', red), end],
    );
    const { names, reasons } = await look(file);
    expect(names).toEqual(['a.png']);
    expect(reasons).toEqual({
      'a.png': expect.stringContaining('another entry of this name'),
      'hard.png': 'a hard link to a.png, which is used',
      'soft.png': expect.stringContaining('a symbolic link to /etc/passwd'),
      'gap.png': expect.stringContaining('a sparse file'),
      'gap2.png': expect.stringContaining('a sparse file'),
      'fifo.png': expect.stringContaining('no file'),
      '(behind the end mark)': expect.stringContaining('behind the end mark'),
    });
    expect(Buffer.from(await (await openContainer(file)).read(0))).toEqual(blue);
  });

  it('holds no file open: hundreds of shards need few', async () => {
    const open = () => fs.readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 40; i++) write(`shards/${i}.tar`, entry('a.png', red), end);
    const before = open();
    const container = await openContainer(at('shards'));
    expect(open()).toBeLessThan(before + 10);
    expect((await takeInventory(container)).pictures.length).toBe(40);
    expect(open()).toBeLessThan(before + 10);
  });
});

describe('zip', () => {
  /** Entries of the directory, each with a local header of its own or the first one's. */
  function zip(names: readonly string[], bytes: Buffer, shared: boolean): Buffer {
    const crc = crcOf(bytes);
    const sizes = (buffer: Buffer, where: number) => {
      buffer.writeUInt32LE(crc, where);
      buffer.writeUInt32LE(bytes.length, where + 4);
      buffer.writeUInt32LE(bytes.length, where + 8);
    };
    const locals: Buffer[] = [];
    const central = names.map((name) => {
      const offset = shared ? 0 : locals.reduce((sum, one) => sum + one.length, 0);
      if (!shared || locals.length === 0) {
        const local = Buffer.alloc(30);
        local.writeUInt32LE(0x04034b50, 0);
        sizes(local, 14);
        local.writeUInt16LE(name.length, 26);
        locals.push(Buffer.concat([local, Buffer.from(name), bytes]));
      }
      const one = Buffer.alloc(46);
      one.writeUInt32LE(0x02014b50, 0);
      sizes(one, 16);
      one.writeUInt16LE(name.length, 28);
      one.writeUInt32LE(offset, 42);
      return Buffer.concat([one, Buffer.from(name)]);
    });
    const directory = Buffer.concat(central);
    const tail = Buffer.alloc(22);
    tail.writeUInt32LE(0x06054b50, 0);
    tail.writeUInt16LE(names.length, 8);
    tail.writeUInt16LE(names.length, 10);
    tail.writeUInt32LE(directory.length, 12);
    tail.writeUInt32LE(Buffer.concat(locals).length, 16);
    return Buffer.concat([...locals, directory, tail]);
  }

  /** CRC-32 as zlib writes it at the end of what it packs. */
  const crcOf = (bytes: Buffer): number => gzipSync(bytes).readUInt32LE(gzipSync(bytes).length - 8);

  it('uses the first of entries that share their bytes, and lists the others', async () => {
    const { names, reasons } = await look(write('overlap.zip', zip(['a.png', 'b.png', 'c.png'], red, true)));
    expect(names).toEqual(['a.png']);
    expect(Object.keys(reasons)).toEqual(['b.png', 'c.png']);
    expect(reasons['b.png']).toContain('overlaps');
  });

  it('uses the last of entries of one name', async () => {
    const { names, reasons } = await look(write('twice.zip', zip(['a.png', 'b.png', 'a.png'], red, false)));
    expect(names).toEqual(['a.png', 'b.png']);
    expect(reasons['a.png']).toContain('another entry of this name');
  });

  it('leaves out what has another checksum than the directory states, and unpacks nothing for empty entries', async () => {
    const file = zip(['a.png', 'b.png'], red, false);
    const second = file.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'));
    file.writeUInt8(file.readUInt8(second + 16) ^ 1, second + 16);
    const { names, reasons } = await look(write('checksum.zip', file));
    expect([names, reasons['b.png']]).toEqual([
      ['a.png'],
      'cannot be unpacked: its checksum is another: it is damaged',
    ]);
    expect((await look(write('empty.zip', zip(['a.png'], Buffer.alloc(0), false)))).reasons).toEqual({
      'a.png': 'empty: 0 bytes',
    });
  });
});

describe('Parquet', () => {
  it('refuses numbers of rows that are not those of its pictures', async () => {
    const file = at('good.parquet');
    const data = Array.from({ length: 50 }, () => Uint8Array.from(red));
    parquetWriteFile({ filename: file, columnData: [{ name: 'image', data, type: 'BYTE_ARRAY' }] });
    const bytes = fs.readFileSync(file);
    const length = bytes.readUInt32LE(bytes.length - 8);
    const footer = bytes.length - 8 - length;
    // A 64-bit number of field type 6, zigzag: 50 is 100.
    const stated: number[] = [];
    for (let i = footer; i < bytes.length - 8; i++) if (bytes[i] === 0x16 && bytes[i + 1] === 0x64) stated.push(i);
    expect(stated.length).toBeGreaterThan(1);
    // 100 million, and −5.
    for (const [i, place] of stated.entries())
      for (const [k, number] of [[0x80, 0x84, 0xaf, 0x5f], [0x09]].entries()) {
        const size = Buffer.alloc(4);
        size.writeUInt32LE(length + number.length - 1);
        const altered = write(
          `rows-${i}-${k}.parquet`,
          ...[bytes.subarray(0, place + 1), Buffer.from(number), bytes.subarray(place + 2, bytes.length - 8)],
          ...[size, Buffer.from('PAR1')],
        );
        expect(await refusal(altered)).toContain('Cannot read the Parquet file');
      }
    expect((await look(file)).names.length).toBe(50);
    expect(await refusal(write('tiny.parquet', Buffer.from('PAR1')))).toMatch(/its footer is damaged; copy it again$/);
  });
});

describe('what is called something else', () => {
  it('says of packed archives and LFS pointers what they are', async () => {
    write('misnamed/a.tar', gzipSync(Buffer.alloc(600)));
    write('misnamed/b.parquet', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n'));
    write('misnamed/c.zip', Buffer.from('words'));
    expect((await look(at('misnamed'))).reasons).toEqual({
      'a.tar': 'packed with gzip: unpack it',
      'b.parquet': expect.stringContaining('a Git LFS pointer'),
      'c.zip': 'named .zip but no archive by its content',
    });
    expect(await refusal(at('misnamed/a.tar'))).toContain('packed with gzip, which cannot be read in place: unpack it');
    expect(await refusal(at('misnamed/b.parquet'))).toContain('a Git LFS pointer');
    expect(await refusal(write('one.png', red))).toContain('one PNG picture: give the folder');
  });

  it.skipIf(skipped(process.platform === 'win32', 'FIFOs', 'Windows has none'))(
    'refuses a FIFO, and lists one in a folder',
    async () => {
      execFileSync('mkfifo', [at('pipe')]);
      expect(await refusal(at('pipe'))).toContain('a FIFO');
      write('pipes/a.png', red);
      execFileSync('mkfifo', [at('pipes/b.png'), at('pipes/c.tar')]);
      const { names, reasons } = await look(at('pipes'));
      expect(names).toEqual(['a.png']);
      expect(reasons).toEqual({
        'b.png': 'not a regular file but a FIFO (named pipe)',
        'c.tar': 'not a regular file but a FIFO (named pipe)',
      });
    },
  );
});
