/** Walks over the chunks of a PNG file. */

/** Type, place and data of the chunks; ends where the file does, and where it is damaged. */
export function* chunksOf(
  file: Buffer,
): Generator<{ readonly type: string; readonly start: number; readonly data: Buffer }> {
  for (let start = 8; start + 12 <= file.length; ) {
    const end = start + 12 + file.readUInt32BE(start);
    if (end > file.length) return;
    const type = file.toString('latin1', start + 4, start + 8);
    if (type === 'IEND' || !/^[A-Za-z]{4}$/.test(type)) return;
    yield { type, start, data: file.subarray(start + 8, end - 4) };
    start = end;
  }
}
