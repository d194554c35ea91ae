/** Folders as people have them: nested, misnamed, rotated, transparent, broken. */
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { skipped } from '../../../test/support/skip.ts';
import { UserError } from '../../base/errors.ts';
import { openContainer } from '../sources/containers/open.ts';
import { takeInventory } from '../sources/inventory.ts';
import { openSource } from '../sources/open.ts';
import { picturesSource } from '../sources/pictures-source.ts';
import { type LoadOptions, loadAll } from '../sources/source.ts';
import { toSquare } from './decode.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'clipvq-folder-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const plain = (color: string, width = 8, height = 8) =>
  sharp({ create: { width, height, channels: 3, background: color } });

async function put(name: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
  await writeFile(path.join(folder, name), bytes);
}

/** Top half red, bottom half blue, before any rotation. */
async function redOverBlue(width: number, height: number): Promise<Sharp> {
  const bottom = await plain('#0000ff', width, height / 2)
    .png()
    .toBuffer();
  return sharp(
    await plain('#ff0000', width, height)
      .composite([{ input: bottom, left: 0, top: height / 2 }])
      .png()
      .toBuffer(),
  );
}

const pixel = (image: { data: Uint8Array; width: number }, x: number, y: number): number[] => [
  ...image.data.subarray(3 * (y * image.width + x), 3 * (y * image.width + x) + 3),
];

/** What a folder holds: names that can be used, and what cannot. */
async function checkFolder(where: string, options: LoadOptions = {}) {
  const container = await openContainer(where);
  const { pictures, rejected } = await takeInventory(container, options);
  return { accepted: pictures.map(({ name }) => name), rejected, source: picturesSource(container, pictures) };
}

describe('a folder', () => {
  it('finds every format by content, at any depth and under any name, in code unit order', async () => {
    await put('b/deep/x.png', await plain('red').png().toBuffer());
    await put('Z.txt', await plain('red').jpeg().toBuffer());
    await put('a b\n☃', await plain('red').webp().toBuffer());
    await put('a.avif', await plain('red').avif().toBuffer());
    await put('a.gif', await plain('red').gif().toBuffer());
    await put('x.png[1]', await plain('red').tiff().toBuffer());
    const { accepted, rejected, source } = await checkFolder(folder);
    expect(accepted).toEqual(['Z.txt', 'a b\n☃', 'a.avif', 'a.gif', 'b/deep/x.png', 'x.png[1]']);
    expect(rejected).toEqual([]);
    const bytes = await loadAll(source, 4);
    expect(bytes.length).toBe(6 * 48);
    for (let i = 0; i < bytes.length; i += 3) {
      expect(Math.abs(bytes[i]! - 255) + bytes[i + 1]! + bytes[i + 2]!).toBeLessThan(12);
    }
  });

  it('names each bad file and keeps the good ones', async () => {
    const noise = Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => (i * i * 31) % 251);
    const raw = { raw: { width: 64, height: 64, channels: 3 } } as const;
    const jpeg = await sharp(noise, raw).jpeg().toBuffer();
    const png = await sharp(noise, raw).png().toBuffer();
    await put('good.jpg', jpeg);
    await put('cut.jpg', jpeg.subarray(0, jpeg.length / 2));
    await put('cut.png', png.subarray(0, png.length / 2));
    await put('empty.png', '');
    await put('notes.txt', 'hello');
    await put('drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    const { accepted, rejected } = await checkFolder(folder);
    expect(accepted).toEqual(['drawing.svg', 'good.jpg']);
    expect(rejected).toEqual([
      { path: 'cut.jpg', reason: expect.stringMatching(/^cannot be read: ./) },
      { path: 'cut.png', reason: expect.stringMatching(/^cannot be read: ./) },
      { path: 'empty.png', reason: 'empty: 0 bytes' },
      { path: 'notes.txt', reason: 'not a picture' },
    ]);
  });

  it('refuses more than 100 megapixels by the header', async () => {
    await put('huge.png', await plain('white', 10_001, 10_000).png().toBuffer());
    const { rejected } = await checkFolder(folder);
    expect(rejected).toEqual([
      { path: 'huge.png', reason: '10001x10000 is 101 megapixels, more than the limit of 100' },
    ]);
  });

  it('follows links inside the folder, never out of it or in circles', async () => {
    const outside = await mkdtemp(path.join(tmpdir(), 'clipvq-outside-'));
    await writeFile(path.join(outside, 'secret.png'), await plain('red').png().toBuffer());
    await put('real/a.png', await plain('red').png().toBuffer());
    await symlink(path.join(folder, 'real/a.png'), path.join(folder, 'link.png'));
    await symlink('real', path.join(folder, 'again'));
    await symlink('..', path.join(folder, 'real/loop'));
    await symlink(outside, path.join(folder, 'out'));
    await symlink(path.join(outside, 'secret.png'), path.join(folder, 'out.png'));
    await symlink('nowhere', path.join(folder, 'broken'));
    const { accepted, rejected } = await checkFolder(folder);
    await rm(outside, { recursive: true });
    expect(accepted).toEqual(['again/a.png', 'link.png', 'real/a.png']);
    expect(Object.fromEntries(rejected.map((file) => [file.path, file.reason]))).toEqual({
      'again/loop': 'symbolic link to its own parent',
      broken: 'broken symbolic link',
      out: 'symbolic link out of the folder: copy here what it leads to, or name that place',
      'out.png': 'symbolic link out of the folder: copy here what it leads to, or name that place',
      'real/loop': 'symbolic link to its own parent',
    });
  });

  it('says in one line what is wrong with the folder itself', async () => {
    await put('file', 'x');
    const cases: [string, string][] = [
      [path.join(folder, 'gone'), 'no folder or file at'],
      [path.join(folder, 'file'), 'is not a folder, a zip or tar archive'],
    ];
    const empty = path.join(folder, 'empty');
    await mkdir(empty);
    cases.push([empty, 'No pictures in']);
    for (const [where, message] of cases) {
      const error: unknown = await checkFolder(where).catch((e) => e);
      expect(error).toBeInstanceOf(UserError);
      expect(String(error)).toContain(message);
      expect(String(error)).toContain(where);
      expect(String(error)).not.toContain('\n');
    }
  });

  it.skipIf(skipped(process.getuid?.() === 0, 'a folder without permission', 'root may read everything'))(
    'reports a folder it may not read',
    async () => {
      await chmod(folder, 0o000);
      const error: unknown = await checkFolder(folder).catch((e) => e);
      await chmod(folder, 0o755);
      expect(String(error)).toContain('permission denied');
    },
  );

  it('stops when the signal fires', async () => {
    await put('a.png', await plain('red').png().toBuffer());
    await expect(checkFolder(folder, { signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow('stopped');
  });
});

describe('toSquare', () => {
  it('applies all eight EXIF orientations', async () => {
    // EXIF 2.3, tag 0x112: the side on which row 0 of the stored picture is seen.
    const redSide = {
      1: 'top',
      2: 'top',
      3: 'bottom',
      4: 'bottom',
      5: 'left',
      6: 'right',
      7: 'right',
      8: 'left',
    } as const;
    const probes: Record<string, [x: number, y: number]> = {
      top: [8, 1],
      bottom: [8, 14],
      left: [1, 8],
      right: [14, 8],
    };
    const stored = await redOverBlue(16, 16);
    for (const [orientation, side] of Object.entries(redSide)) {
      const jpeg = await stored
        .clone()
        .withMetadata({ orientation: Number(orientation) })
        .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
        .toBuffer();
      const [red = 0, , blue = 0] = pixel(await toSquare(jpeg, 16), ...probes[side]!);
      expect(red - blue, `orientation ${orientation}`).toBeGreaterThan(200);
    }
  });

  it('crops the centre of the longer side', async () => {
    const tall = await redOverBlue(8, 32);
    const square = await toSquare(await tall.png().toBuffer(), 8);
    expect(pixel(square, 4, 0)).toEqual([255, 0, 0]);
    expect(pixel(square, 4, 7)).toEqual([0, 0, 255]);
  });

  it('lays transparency on white and reduces every depth and colour model to 8-bit sRGB', async () => {
    const half = sharp({ create: { width: 4, height: 4, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0.5 } } });
    for (const value of pixel(await toSquare(await half.png().toBuffer(), 4), 1, 1))
      expect(Math.abs(value - 127)).toBeLessThan(3);
    const gray16 = await plain('#808080').toColourspace('grey16').png().toBuffer();
    const gray8 = await plain('#808080').toColourspace('b-w').png().toBuffer();
    const indexed = await plain('#808080').png({ palette: true, colours: 2 }).toBuffer();
    const cmyk = await plain('#808080').toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    for (const encoded of [gray8, gray16, indexed, cmyk]) {
      const square = await toSquare(encoded, 4);
      expect(square.data.length).toBe(48);
      for (const value of pixel(square, 1, 1)) expect(Math.abs(value - 128)).toBeLessThan(20);
    }
  });

  it('converts wide gamuts, by their profile, to sRGB', async () => {
    const red = await plain('#ff0000').withIccProfile('p3').png().toBuffer();
    expect((await sharp(red).metadata()).icc).toBeDefined();
    // sRGB red lies inside Display P3 as (234, 51, 35); read without the profile it would stay that.
    const [r = 0, g = 0, b = 0] = pixel(await toSquare(red, 4), 1, 1);
    expect([r > 250, g < 8, b < 8]).toEqual([true, true, true]);
  });

  it('reduces 16-bit colours to the same 8-bit colours', async () => {
    const deep = await plain('#4080c0').toColourspace('rgb16').png().toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    expect(pixel(await toSquare(deep, 4), 1, 1)).toEqual([0x40, 0x80, 0xc0]);
  });

  it('lays transparency on the colour that is asked for', async () => {
    const clear = sharp({ create: { width: 4, height: 4, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0 } } });
    const square = await toSquare(await clear.png().toBuffer(), 4, { background: '#102030' });
    expect(pixel(square, 1, 1)).toEqual([0x10, 0x20, 0x30]);
  });

  it('keeps what a crop chooses of the upright picture', async () => {
    const stored = await redOverBlue(16, 32);
    const turned = await stored.withMetadata({ orientation: 3 }).png().toBuffer();
    const sizes: number[][] = [];
    const square = await toSquare(turned, 8, {
      crop: (width, height) => {
        sizes.push([width, height]);
        return { left: 4, top: 0, width: 8, height: 8 };
      },
    });
    expect(sizes).toEqual([[16, 32]]);
    // Upside down, blue is on top.
    expect(pixel(square, 4, 4)).toEqual([0, 0, 255]);
  });

  it('takes the first frame of an animation', async () => {
    const frames = await sharp([await plain('red').png().toBuffer(), await plain('blue').png().toBuffer()], {
      join: { animated: true },
    })
      .gif()
      .toBuffer();
    expect((await sharp(frames).metadata()).pages).toBe(2);
    expect(pixel(await toSquare(frames, 8), 2, 2)).toEqual([255, 0, 0]);
  });
});

describe('openSource', () => {
  const faces = { seed: 0, count: 3, offset: 10 };

  it('opens the built-in faces and folders, and hands on what a folder had to leave out', async () => {
    const onRejected = vi.fn();
    expect((await openSource('faces', { faces, onRejected })).size).toBe(3);
    await put('a.png', await plain('red').png().toBuffer());
    await put('b.png', 'not really');
    const source = await openSource(folder, { faces, onRejected });
    expect([source.size, source.id(0)]).toEqual([1, 'a.png']);
    expect(onRejected.mock.calls).toEqual([[{ path: 'b.png', reason: 'named .png but text and no picture' }]]);
  });

  it('fails in one line when nothing is usable', async () => {
    await put('b.png', 'not really');
    await expect(openSource(folder, { faces, onRejected: () => {} })).rejects.toThrow(/^No usable picture in .+b\.png/);
  });

  it('names a file that has changed since the check', async () => {
    await put('a.png', await plain('red').png().toBuffer());
    const source = await openSource(folder, { faces, onRejected: () => {} });
    await put('a.png', 'gone bad');
    await expect(loadAll(source, 8)).rejects.toThrow(/Picture .+a\.png has changed since it was looked at/);
  });
});
