/**
 * How the samples of a PNG file stand for light, where the decoder does not look: its chunks cICP and gAMA (PNG, third
 * edition, 4.3). Of several cICP counts first, then iCCP, sRGB and gAMA.
 */

import { chunksOf } from './png-chunks.ts';

/** Curves of cICP (ITU-T H.273): those that are close to sRGB, and those of high dynamic range. */
const [SDR, HDR] = [new Set([1, 2, 4, 6, 13, 14, 15]), new Set([16, 18])];
/** Primaries of cICP that are those of sRGB, or unknown. */
const SRGB_PRIMARIES = new Set([1, 2]);

const OTHER_SPACE = 'colours of another space than sRGB without a profile';
const HDR_REASON = 'a picture of high dynamic range (HDR), which is not converted: save it as sRGB';

/** Exponents within so much of that of sRGB are its own (as in libpng). */
const [SRGB_GAMMA, THRESHOLD] = [1 / 2.2, 0.05];

/** How a PNG differs from sRGB. */
export interface PngColours {
  /** Why the picture cannot be used. */
  readonly reason?: string;
  /** The exponent of its samples over light, where it is not that of sRGB. */
  readonly gamma?: number;
}

/** What the chunks before the pixels say of a PNG's colours. */
export function pngColours(png: Uint8Array): PngColours {
  const found = new Map<string, Buffer>();
  for (const { type, data } of chunksOf(Buffer.from(png.buffer, png.byteOffset, png.byteLength))) {
    if (type === 'IDAT') break;
    found.set(type, data);
  }
  const [primaries = 1, transfer = 13] = found.get('cICP') ?? [];
  if (HDR.has(transfer)) return { reason: HDR_REASON };
  if (found.has('iCCP')) return {};
  if (!SDR.has(transfer) || !SRGB_PRIMARIES.has(primaries)) return { reason: `${OTHER_SPACE} (cICP): save it as sRGB` };
  const field = found.get('gAMA');
  if (found.has('cICP') || found.has('sRGB') || field?.length !== 4) return {};
  const gamma = field.readUInt32BE() / 100_000;
  const isOdd = Math.abs(gamma / SRGB_GAMMA - 1) > THRESHOLD && gamma >= 0.1 && gamma <= 10;
  return isOdd ? { gamma } : {};
}

/** 8-bit samples with exponent `gamma` over light as samples of sRGB. */
export const srgbTable = (gamma: number): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, sample) => {
    const light = (sample / 255) ** (1 / gamma);
    return Math.round(255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055));
  });

/** Primaries of standard television, which lie close to those of sRGB: what many encoders write without looking. */
const TELEVISION = new Set([5, 6]);

/**
 * Why the colours of an AVIF file cannot be used, by its colour box of numbers (nclx; ISO/IEC 23001-8): primaries and
 * curve, 16 bits each. A profile beside it (ICC) is what the decoder converts by.
 */
export function avifTrouble(avif: Uint8Array): string | undefined {
  const head = Buffer.from(avif.buffer, avif.byteOffset, Math.min(avif.byteLength, 1 << 16));
  const at = head.indexOf('colrnclx', 0, 'latin1');
  if (at < 0 || at + 12 > head.length) return undefined;
  const [primaries, transfer] = [head.readUInt16BE(at + 8), head.readUInt16BE(at + 10)];
  if (HDR.has(transfer)) return HDR_REASON;
  if (head.includes('colrprof', 0, 'latin1') || head.includes('colrrICC', 0, 'latin1')) return undefined;
  const isClose = SDR.has(transfer) && (SRGB_PRIMARIES.has(primaries) || TELEVISION.has(primaries));
  return isClose ? undefined : `${OTHER_SPACE} (AVIF's nclx): save it as sRGB`;
}
