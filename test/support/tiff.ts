/** Small TIFF files of any kind, for what no encoder at hand writes. */

export interface TiffPage {
  readonly width: number;
  readonly height: number;
  /** Values of tags beside those of size and place, as 16-bit numbers. */
  readonly tags: Readonly<Record<number, readonly number[]>>;
  readonly data: Buffer;
}

/** A little-endian TIFF of one page; `next` is where another directory is claimed to lie. */
export function tiffOf({ width, height, tags, data }: TiffPage, next = 0): Buffer {
  const all: Record<number, readonly number[]> = {
    256: [width],
    257: [height],
    259: [1],
    277: [1],
    278: [height],
    273: [0],
    279: [data.length],
    ...tags,
  };
  const ids = Object.keys(all)
    .map(Number)
    .sort((a, b) => a - b);
  const head = Buffer.alloc(8 + 2 + 12 * ids.length + 4);
  head.write('II*\0', 0, 'latin1');
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(ids.length, 8);
  const beside: Buffer[] = [];
  let at = head.length;
  for (const [i, id] of ids.entries()) {
    const values = all[id]!;
    const entry = 10 + 12 * i;
    head.writeUInt16LE(id, entry);
    head.writeUInt16LE(3, entry + 2);
    head.writeUInt32LE(values.length, entry + 4);
    const bytes = Buffer.from(Uint16Array.from(values).buffer);
    if (bytes.length <= 4) bytes.copy(head, entry + 8);
    else {
      head.writeUInt32LE(at, entry + 8);
      beside.push(bytes);
      at += bytes.length;
    }
  }
  head.writeUInt16LE(at, 10 + 12 * ids.indexOf(273) + 8);
  head.writeUInt32LE(next, head.length - 4);
  return Buffer.concat([head, ...beside, data]);
}
