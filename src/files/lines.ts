/** Text files of any size, line by line. */

import fs from 'node:fs';
import { readFully } from './full-io.ts';
import { openRegular } from './regular-file.ts';

/** Bytes read at once. */
const PIECE = 1 << 22;
const NEWLINE = 0x0a;

/**
 * Lines as the bytes of a file, in pieces for `writeFileAtomic`: all of them together may be more than a text can hold.
 */
export function* linePieces(lines: Iterable<string>): Generator<Uint8Array, void> {
  let piece = '';
  for (const line of lines) {
    piece += `${line}\n`;
    if (piece.length < PIECE) continue;
    yield Buffer.from(piece);
    piece = '';
  }
  yield Buffer.from(piece);
}

/** A line of a file, without its end. */
export interface Line {
  readonly text: string;
  /** Whether it ends with a newline: the last one of a file that is being written may not. */
  readonly hasEnd: boolean;
}

/**
 * The lines of a regular file, as UTF-8. No more of it is in memory than a piece of `piece` bytes and a line.
 * @throws UserError as `openRegular` does.
 */
export function* linesOf(file: string, piece = PIECE): Generator<Line, void> {
  const descriptor = openRegular(file);
  try {
    let rest: Uint8Array = new Uint8Array(0);
    for (let position = 0; ; position += piece) {
      const bytes = Buffer.allocUnsafe(piece);
      const got = readFully(descriptor, bytes, position);
      const read = Buffer.concat([rest, bytes.subarray(0, got)]);
      let start = 0;
      for (let end = read.indexOf(NEWLINE); end >= 0; end = read.indexOf(NEWLINE, start)) {
        yield { text: read.toString('utf8', start, end), hasEnd: true };
        start = end + 1;
      }
      rest = read.subarray(start);
      if (got < piece) break;
    }
    if (rest.length > 0) yield { text: Buffer.from(rest).toString('utf8'), hasEnd: false };
  } finally {
    fs.closeSync(descriptor);
  }
}
