/** What a file is, by its first bytes: cameras, phones and downloads misname files all the time. */

/** Formats that are decoded. */
export type PictureFormat = 'jpeg' | 'png' | 'webp' | 'avif' | 'gif' | 'tiff' | 'svg';

/** What is decoded, for messages. */
export const READABLE = 'JPEG, PNG, WebP, AVIF, GIF, TIFF or SVG';

/** The reason for whatever neither is nor claims to be a picture: texts, sounds, weights. */
export const NOT_A_PICTURE = 'not a picture';

/** A format that is decoded, or why the file is not used. */
export type Identity = { readonly format: PictureFormat } | { readonly reason: string };

/**
 * Tell what a file is.
 * @param head its first bytes, a few hundred or more.
 * @param name what it is called: used only to tell a broken picture from a file that claims to be none.
 */
export function identify(head: Uint8Array, name = ''): Identity {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const text = bytes.toString('latin1');
  if (bytes.length === 0) return { reason: named(name) ? 'empty: 0 bytes' : NOT_A_PICTURE };
  const other = OTHERS.find(([, matches]) => matches(text));
  if (other) return { reason: other[0] };
  if (/\.(zip|tar)$/i.test(name) && (text.startsWith('PK') || text.startsWith('ustar', 257)))
    return { reason: 'an archive inside another: unpack it' };
  const format = FORMATS.find(([, matches]) => matches(text))?.[0];
  if (format !== undefined) return { format };
  return { reason: named(name) ? misnamed(name, text) : NOT_A_PICTURE };
}

const starts =
  (...signatures: readonly string[]) =>
  (text: string): boolean =>
    signatures.some((signature) => text.startsWith(signature));

/** ISO media files: `ftyp` and the brands that they say they can be read as. */
const brands = (text: string): string => (text.startsWith('ftyp', 4) ? text.slice(8, boxEnd(text)) : '');
const boxEnd = (text: string): number =>
  Math.min(text.length, 256, Math.max(16, text.charCodeAt(2) * 256 + text.charCodeAt(3)));

const TIFF = ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'] as const;

const FORMATS: readonly (readonly [PictureFormat, (text: string) => boolean])[] = [
  ['jpeg', starts('\xff\xd8\xff')],
  ['png', starts('\x89PNG\r\n\x1a\n')],
  ['webp', (text) => text.startsWith('RIFF') && text.startsWith('WEBP', 8)],
  ['avif', (text) => /avi[fs]/.test(brands(text))],
  ['gif', starts('GIF87a', 'GIF89a')],
  ['tiff', starts(...TIFF)],
  [
    'svg',
    (text) =>
      /^(\xef\xbb\xbf)?\s*<(\?xml|!--|!DOCTYPE\s+svg|(\w+:)?svg)[\s>-]/i.test(text) && /<(\w+:)?svg[\s>]/.test(text),
  ],
];

const raw = (camera: string): string => `a camera raw file (${camera}): develop it into JPEG, PNG or TIFF`;
const undecoded = (format: string): string =>
  `${format}, for which there is no decoder here: convert it to JPEG or PNG`;
const packed = (how: string): string => `packed with ${how}: unpack it`;
const VIDEO = 'a video: extract its frames as JPEG or PNG';

/** Camera raw files that are TIFF files besides are recognised by their tags. */
const OTHERS: readonly (readonly [string, (text: string) => boolean])[] = [
  [raw('Canon CR2'), (text) => starts(...TIFF)(text) && text.startsWith('CR', 8)],
  [raw('Canon CR3'), (text) => brands(text).includes('crx ')],
  [raw('Canon CRW'), (text) => text.startsWith('HEAPCCDR', 6)],
  [raw('Fujifilm RAF'), starts('FUJIFILMCCD-RAW')],
  [raw('Olympus ORF'), starts('IIRO', 'IIRS', 'MMOR')],
  [raw('Panasonic RW2'), starts('IIU\0')],
  [raw('Sigma X3F'), starts('FOVb')],
  [raw('Minolta MRW'), starts('\0MRM')],
  [raw('Phase One IIQ'), (text) => starts(...TIFF)(text) && text.startsWith('IIII', 8)],
  [undecoded('HEIC'), (text) => /hei[cxms]|hev[cx]/.test(brands(text)) && !/avi[fs]/.test(brands(text))],
  [undecoded('JPEG XL'), starts('\xff\x0a', '\0\0\0\x0cJXL ')],
  [undecoded('JPEG 2000'), starts('\0\0\0\x0cjP  ', '\xff\x4f\xff\x51')],
  [undecoded('JPEG XR'), starts('II\xbc\x01')],
  [undecoded('BMP'), (text) => text.startsWith('BM') && [12, 40, 52, 56, 64, 108, 124].includes(text.charCodeAt(14))],
  [undecoded('Photoshop PSD'), starts('8BPS')],
  [undecoded('OpenEXR'), starts('v/1\x01')],
  [undecoded('Radiance HDR'), starts('#?RADIANCE', '#?RGBE')],
  [
    undecoded('an icon'),
    (text) => starts('\0\0\x01\0', '\0\0\x02\0')(text) && text.charCodeAt(4) > 0 && text.charCodeAt(5) === 0,
  ],
  [undecoded('an icon'), starts('icns')],
  [undecoded('PNM'), (text) => /^P[1-7]\s/.test(text)],
  [undecoded('PFM'), (text) => /^P[fF]\s/.test(text)],
  [undecoded('PCX'), (text) => starts('\x0a')(text) && text.charCodeAt(1) <= 5 && text.startsWith('\x01', 2)],
  [undecoded('QOI'), starts('qoif')],
  [undecoded('DDS'), starts('DDS ')],
  [undecoded('GIMP XCF'), starts('gimp xcf')],
  [undecoded('FITS'), starts('SIMPLE  =')],
  [undecoded('DjVu'), starts('AT&TFORM')],
  [undecoded('BPG'), starts('BPG\xfb')],
  [undecoded('FLIF'), starts('FLIF')],
  [undecoded('SGI'), starts('\x01\xda\0', '\x01\xda\x01')],
  [undecoded('Sun raster'), starts('\x59\xa6\x6a\x95')],
  [
    'a PNG that Xcode has rewritten for its devices (CgBI), which is not read: convert it to PNG or JPEG',
    (text) => starts('\x89PNG\r\n\x1a\n')(text) && text.startsWith('CgBI', 12),
  ],
  [undecoded('MNG'), starts('\x8aMNG', '\x8bJNG')],
  [undecoded('WMF'), starts('\xd7\xcd\xc6\x9a')],
  [undecoded('EMF'), (text) => text.startsWith('\x01\0\0\0') && text.startsWith(' EMF', 40)],
  [undecoded('PDF'), starts('%PDF')],
  [undecoded('PostScript'), starts('%!PS', '\xc5\xd0\xd3\xc6')],
  [
    VIDEO,
    (text) =>
      /isom|iso[2-9]|mp4[12]|M4V|qt {2}|3gp|avc1/.test(brands(text)) && !/avi[fs]|hei[cx]|crx/.test(brands(text)),
  ],
  [VIDEO, (text) => starts('\x1a\x45\xdf\xa3', 'FLV')(text) || (text.startsWith('RIFF') && text.startsWith('AVI ', 8))],
  [packed('gzip'), starts('\x1f\x8b')],
  [packed('bzip2'), (text) => /^BZh[1-9]1AY/.test(text)],
  [packed('xz'), starts('\xfd7zXZ\0')],
  [packed('zstd'), starts('\x28\xb5\x2f\xfd')],
  [packed('7-Zip'), starts('7z\xbc\xaf\x27\x1c')],
  [packed('RAR'), starts('Rar!\x1a\x07')],
  [
    'a Git LFS pointer and not the file: fetch it with git lfs pull',
    starts('version https://git-lfs.github.com/spec/'),
  ],
];

/** Names that promise a picture. */
const PICTURE_NAME =
  /\.(jpe?g|jpe|jfif|png|apng|webp|avif|gif|tiff?|svg|heic|heif|bmp|jxl|jp2|j2k|psd|ico|tga|dng|nef|cr[23w]|arw|orf|raf|rw2|pef|srw)$/i;

const named = (name: string): boolean => PICTURE_NAME.test(name);

function misnamed(name: string, text: string): string {
  const ending = PICTURE_NAME.exec(name)![0].toLowerCase();
  const instead = inPlaceOfFile(text);
  if (instead !== undefined) return `named ${ending} but ${instead}`;
  if (starts('PK\x03', 'PK\x05', 'PK\x07')(text))
    return `named ${ending} but a zip archive: name it .zip, or unpack it`;
  if (/^[\s -~]+$/.test(text)) return `named ${ending} but text and no picture`;
  return `named ${ending} but no ${READABLE} file by its content`;
}

/**
 * What copies and downloads leave in the place of a file, by the beginning of its text: links and addresses, pages and
 * messages of servers; undefined if it is none of these.
 */
export function inPlaceOfFile(text: string): string | undefined {
  if (/^\s*<(!doctype html|html|head|body)/i.test(text)) return 'a web page: download it again';
  if (/^\s*(?:\.{1,2}\/)+(?:[\w .-]+\/)*blobs\/[0-9a-f]{8,64}\s*$/.test(text))
    return "a link into a hub's cache that was saved as text: download the files again, or copy them with their links resolved";
  if (/^\s*\.{1,2}\/[ -~]{1,1000}\s*$/.test(text))
    return 'a symbolic link that was saved as text: copy the files anew with their links resolved';
  if (/^\s*(?:\[InternetShortcut\]|https?:\/\/\S+\s*$)/i.test(text))
    return 'the address of a file and not the file: download it';
  if (/^\s*(?:<\?xml[^>]*>\s*<Error>|\{"(?:error|message)")/i.test(text))
    return 'the error message of a server: download it again';
  return undefined;
}
