/** What decoders say of files that they cannot read, in plain words. */

import { messageOf } from '../../base/errors.ts';

const DAMAGED = 'it is damaged or cut short';

/** Sentences of the decoders that say little, or name their own routines. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^(?:unknown error|libpng read error|webp: unable to (?:parse|read) image)?$/i, DAMAGED],
  [/^source: bad seek|^(?:vipsjpeg: )?premature end of JPEG image$/i, 'it is cut short'],
  [/^input buffer contains unsupported image format$/i, `${DAMAGED}, or of a variety that is not read`],
  [/^zero-sized image$|bad dimensions$/i, 'it states no size that a picture has'],
  [/excessive depth|amplification|entity/i, 'its XML is damaged, nested too deep, or names other files'],
  [/^SVG rendering failed$/i, 'it is no whole drawing, or its elements use each other too often'],
];

/** Names of routines in front of what they report. */
const ROUTINES =
  /^(?:Input buffer has corrupt header:|Vips\w*:|vips\w*:|\w+2vips:|\w+load(?:_buffer)?:|source input:|glib:)\s*/;

/**
 * Why a decoder fails, in one line: it reports several, with the names of its own routines in front, or does not know.
 */
export function oneLine(error: unknown): string {
  let line = messageOf(error).split('\n')[0]!.trim();
  for (let before = ''; before !== line; ) {
    before = line;
    line = line.replace(ROUTINES, '');
  }
  return WORDS.find(([said]) => said.test(line))?.[1] ?? line;
}
