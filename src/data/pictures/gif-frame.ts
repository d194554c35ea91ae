/** The first frame of a GIF, which is the picture that is used: where it lies, and the file without the others. */

import type { Rectangle } from './crop.ts';

export interface FirstFrame {
  readonly canvas: { readonly width: number; readonly height: number };
  /**
   * Where the first frame lies, if it leaves a part of the canvas free: that is transparent, whatever the decoder fills
   * it with.
   */
  readonly small: Rectangle | undefined;
  /** Frames in the file, as far as it is whole. */
  readonly frames: number;
  /**
   * The file up to its first frame: decoders go through all frames before they give one, and there may be a million.
   */
  readonly file: Uint8Array;
}

/** Undefined where no first frame is found; the decoder will say what is wrong. */
export function firstFrame(gif: Uint8Array): FirstFrame | undefined {
  const short = (at: number) => (gif[at] ?? 0) + 256 * (gif[at + 1] ?? 0);
  const [width, height] = [short(6), short(8)];
  let frame: Rectangle | undefined;
  let end = 0;
  let frames = 0;
  for (let at = 13 + colorTable(gif[10] ?? 0); at < gif.length; ) {
    if (gif[at] === EXTENSION) at = afterBlocks(gif, at + 2);
    else if (gif[at] === IMAGE) {
      frame ??= { left: short(at + 1), top: short(at + 3), width: short(at + 5), height: short(at + 7) };
      at = afterBlocks(gif, at + 11 + colorTable(gif[at + 9] ?? 0));
      if (frames === 0) end = at;
      frames++;
    } else break;
  }
  if (!frame || end > gif.length) return undefined;
  const isInside = frame.left + frame.width <= width && frame.top + frame.height <= height;
  const coversAll = frame.width >= width && frame.height >= height;
  return {
    // A frame that is larger than its canvas enlarges it.
    canvas: isInside ? { width, height } : { width: frame.left + frame.width, height: frame.top + frame.height },
    small: isInside && !coversAll && frame.width * frame.height > 0 ? frame : undefined,
    frames,
    file: frames === 1 ? gif : Buffer.concat([gif.subarray(0, end), TRAILER]),
  };
}

const [EXTENSION, IMAGE] = [0x21, 0x2c];
const TRAILER = Buffer.from([0x3b]);

/** Blocks of a length each, to one of none. */
function afterBlocks(gif: Uint8Array, from: number): number {
  let at = from;
  while (at < gif.length && gif[at] !== 0) at += 1 + gif[at]!;
  return at + 1;
}

/** Bytes of a table of colours, by the flags that announce it. */
const colorTable = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));
