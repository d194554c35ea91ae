/**
 * What a TIFF file holds, by its tags (TIFF 6.0; BigTIFF; Adobe DNG 1.4). The decoder reads more kinds than it reads
 * rightly, and of a camera raw file it takes the thumbnail: those are found here and left out.
 */

/** The tags that matter. */
const TAG = {
  subfileType: 254,
  bits: 258,
  compression: 259,
  photometric: 262,
  samples: 277,
  planar: 284,
  tileWidth: 322,
  extraSamples: 338,
  sampleFormat: 339,
  subIfds: 330,
  make: 271,
  dngVersion: 50706,
} as const;

/** Bytes of each type of field. */
const TYPE_BYTES: Readonly<Record<number, number>> = {
  ...{ 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8 },
};

/** A file of more pages is no picture, and counting them takes the decoder minutes. */
const MOST_PAGES = 2000;
/** More values of a tag than this are not read. */
const MOST_VALUES = 64;

type Tags = ReadonlyMap<number, readonly number[]>;

/**
 * Why a TIFF file cannot be used, or undefined if nothing speaks against it. What is damaged is left to the decoder,
 * which names the damage.
 */
export function tiffTrouble(encoded: Uint8Array): string | undefined {
  const file = new TiffFile(encoded);
  const pages: Tags[] = [];
  let truncated = false;
  const seen = new Set<number>();
  for (let at = file.first; at !== 0 && !seen.has(at); ) {
    seen.add(at);
    if (pages.length >= MOST_PAGES) return `has more than ${MOST_PAGES} pages: extract the pictures from it`;
    const directory = file.directory(at);
    if (!directory) {
      truncated = true;
      break;
    }
    pages.push(directory.tags);
    at = directory.next;
  }
  const [page] = pages;
  if (!page) return truncated ? undefined : 'has no page';
  const inner = pages.flatMap((tags) => (tags.get(TAG.subIfds) ?? []).flatMap((at) => file.directory(at)?.tags ?? []));
  return (
    rawTrouble([...pages, ...inner]) ?? thumbnailTrouble(page, inner) ?? sampleTrouble(page) ?? packingTrouble(page)
  );
}

/**
 * Photometric interpretations of camera raw data (colour filter array, linear raw), and compressions only cameras use.
 */
const RAW_PHOTOMETRIC = new Set([32803, 34892]);
const RAW_COMPRESSION = new Set([32767, 32769, 32770, 34713, 65000, 65535]);

function rawTrouble(directories: readonly Tags[]): string | undefined {
  const isRaw = directories.some(
    (tags) =>
      tags.has(TAG.dngVersion) ||
      RAW_PHOTOMETRIC.has(one(tags, TAG.photometric) ?? 0) ||
      RAW_COMPRESSION.has(one(tags, TAG.compression) ?? 0),
  );
  if (!isRaw) return undefined;
  const make = directories.map((tags) => tags.get(TAG.make)).find((bytes) => bytes !== undefined);
  const camera = String.fromCharCode(...(make ?? []))
    .split('\0')[0]!
    .replaceAll(/[^\x20-\x7e]/g, '')
    .trim();
  const kind = directories.some((tags) => tags.has(TAG.dngVersion)) ? 'DNG' : camera || 'of TIFF form';
  return `a camera raw file (${kind}): develop it into JPEG, PNG or TIFF`;
}

/** Where the first page is a reduced copy and the picture itself lies beside it. */
const thumbnailTrouble = (page: Tags, inner: readonly Tags[]): string | undefined =>
  ((one(page, TAG.subfileType) ?? 0) & 1) === 1 && inner.length > 0
    ? 'begins with a thumbnail of the picture inside it: save the picture alone'
    : undefined;

const SAMPLE_FORMATS: Readonly<Record<number, string>> = {
  2: 'signed integers',
  3: 'floating-point numbers',
  5: 'complex integers',
  6: 'complex numbers',
};
const AS = 'save it with 8 or 16 bits a channel';
const JPEG = 7;

/** The kinds of samples that become the right colours; each other is named. */
function sampleTrouble(page: Tags): string | undefined {
  const formats = page.get(TAG.sampleFormat) ?? [1];
  const odd = formats.map((format) => SAMPLE_FORMATS[format]).find((name) => name !== undefined);
  if (odd !== undefined) return `TIFF samples are ${odd}: ${AS}`;
  const bits = page.get(TAG.bits) ?? [1];
  if (bits.some((depth) => ![1, 2, 4, 8, 16].includes(depth))) return `TIFF samples of ${bits[0]} bits: ${AS}`;
  const photometric = one(page, TAG.photometric);
  const samples = one(page, TAG.samples) ?? 1;
  const colors = photometric === undefined ? undefined : COLOURS[photometric];
  if (photometric === undefined || colors === undefined)
    return `TIFF colours are ${COLOUR_NAMES[photometric ?? -1] ?? `of kind ${photometric ?? 'none'}`}: save it as RGB`;
  if (photometric === YCBCR && one(page, TAG.compression) !== JPEG)
    return 'TIFF colours are YCbCr without JPEG compression: save it as RGB';
  if (photometric === LAB && bits.some((depth) => depth !== 16))
    return `TIFF colours are Lab of ${bits[0]} bits: ${LAB_AS}`;
  if (samples < colors || samples > MOST_BANDS) return `a TIFF of ${samples} bands: save it as grey or RGB`;
  const extra = page.get(TAG.extraSamples) ?? [];
  if (samples > colors + 1 && extra.some(isAlpha))
    return `a TIFF of ${samples} bands, one of them transparency: save it as grey or RGB`;
  return undefined;
}

const [NONE, SEPARATE] = [1, 2];
/** Compressions that are read: none, those of facsimile, LZW, JPEG, deflate, PackBits, WebP. */
const READ_COMPRESSIONS = new Set([NONE, 2, 3, 4, 5, 6, JPEG, 8, 32_946, 32_773, 50_001]);
const COMPRESSION_NAMES: Readonly<Record<number, string>> = {
  ...{ 33003: 'JPEG 2000', 33005: 'JPEG 2000', 34712: 'JPEG 2000', 50002: 'JPEG XL', 52546: 'JPEG XL' },
  ...{ 22610: 'JPEG XR', 34925: 'LZMA', 34887: 'LERC', 34933: 'PNG', 50000: 'zstd' },
};

/** How pixels lie in the file, where the decoder does not read that. */
function packingTrouble(page: Tags): string | undefined {
  const compression = one(page, TAG.compression) ?? NONE;
  if (!READ_COMPRESSIONS.has(compression))
    return `TIFF compressed with ${COMPRESSION_NAMES[compression] ?? `method ${compression}`}: save it with LZW, deflate or without`;
  if (one(page, TAG.planar) === SEPARATE && page.has(TAG.tileWidth))
    return 'TIFF in tiles with a plane for each channel: save it with the channels together';
  return undefined;
}

/** Bands that the decoder takes. */
const MOST_BANDS = 5;
const LAB = 8;
const LAB_AS = 'save it as RGB, or as Lab of 16 bits';

/** Associated and unassociated alpha are transparency. */
const isAlpha = (kind: number): boolean => kind === 1 || kind === 2;

/**
 * Whether the first page of a TIFF file has bands beside its colours that are no transparency, as infrared or a spot
 * colour; the decoder would take them for it.
 */
export function hasOtherBands(encoded: Uint8Array): boolean {
  const file = new TiffFile(encoded);
  const tags = file.directory(file.first)?.tags;
  const colors = tags && COLOURS[one(tags, TAG.photometric) ?? -1];
  if (!tags || colors === undefined || (one(tags, TAG.samples) ?? 1) <= colors) return false;
  return !(tags.get(TAG.extraSamples) ?? []).some(isAlpha);
}

const YCBCR = 6;
/**
 * Channels of the photometric interpretations that are decoded rightly: grey of both signs, RGB, palette, CMYK, YCbCr,
 * Lab.
 */
const COLOURS: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 3, 3: 1, 5: 4, [YCBCR]: 3, [LAB]: 3 };
const COLOUR_NAMES: Readonly<Record<number, string>> = {
  4: 'a transparency mask',
  9: 'ICC Lab',
  10: 'ITU Lab',
  32844: 'LogL',
  32845: 'LogLuv',
};

const one = (tags: Tags, tag: number): number | undefined => tags.get(tag)?.[0];

/** Directories of tags, in either byte order, of 32 or 64 bits. */
class TiffFile {
  readonly first: number;
  readonly #view: DataView;
  readonly #little: boolean;
  readonly #big: boolean;

  constructor(encoded: Uint8Array) {
    this.#view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    this.#little = encoded[0] === 0x49;
    this.#big = (this.#little ? encoded[2] : encoded[3]) === 0x2b;
    this.first = (this.#big ? this.#long8(8) : this.#number(4, 4)) ?? 0;
  }

  /** The tags at an offset, or undefined where the file ends before. */
  directory(at: number): { readonly tags: Tags; readonly next: number } | undefined {
    const [head, entry] = this.#big ? [8, 20] : [2, 12];
    const count = this.#number(at, head);
    if (count === undefined || count > 65_535) return undefined;
    const tags = new Map<number, readonly number[]>();
    for (let i = 0; i < count; i++) {
      const start = at + head + i * entry;
      const tag = this.#number(start, 2);
      if (tag === undefined) return undefined;
      tags.set(tag, this.#values(start));
    }
    const next = this.#number(at + head + count * entry, this.#big ? 8 : 4);
    return next === undefined ? undefined : { tags, next };
  }

  #values(start: number): number[] {
    const type = this.#number(start + 2, 2) ?? 0;
    const count = this.#number(start + 4, this.#big ? 8 : 4) ?? 0;
    const bytes = TYPE_BYTES[type] ?? 0;
    const inline = this.#big ? 8 : 4;
    const field = start + 4 + inline;
    const from = count * bytes <= inline ? field : this.#number(field, inline);
    if (bytes === 0 || from === undefined) return [];
    const values: number[] = [];
    for (let i = 0; i < Math.min(count, MOST_VALUES); i++) {
      const value = this.#number(from + i * bytes, bytes);
      if (value === undefined) break;
      values.push(value);
    }
    return values;
  }

  #number(at: number, bytes: number): number | undefined {
    if (!(at >= 0 && at + bytes <= this.#view.byteLength)) return undefined;
    if (bytes === 1) return this.#view.getUint8(at);
    if (bytes === 2) return this.#view.getUint16(at, this.#little);
    return bytes === 4 ? this.#view.getUint32(at, this.#little) : this.#long8(at);
  }

  #long8(at: number): number | undefined {
    return at + 8 <= this.#view.byteLength ? Number(this.#view.getBigUint64(at, this.#little)) : undefined;
  }
}
