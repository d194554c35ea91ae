/**
 * Checksums, four bytes at a time, since checkpoints are large: CRC-32 (IEEE 802.3) of zip archives and PNG chunks,
 * CRC-32C of TFRecord.
 */

// Our own tables: zlib.crc32 arrived in Node 20.15 and 22.2, and we run on 20.9.
const ieee = makeTables(0xedb88320);
const castagnoli = makeTables(0x82f63b78);

/** CRC-32 of `bytes`, an unsigned number. `previous` is the checksum of what stands before them. */
export const crc32 = (bytes: Uint8Array, previous = 0): number => checksum(ieee, bytes, previous);

/** CRC-32C (Castagnoli's polynomial; RFC 3720) of `bytes`, an unsigned number. */
export const crc32c = (bytes: Uint8Array): number => checksum(castagnoli, bytes, 0);

type Tables = readonly [Int32Array, Int32Array, Int32Array, Int32Array];

function checksum([first, second, third, fourth]: Tables, bytes: Uint8Array, previous: number): number {
  const whole = bytes.length & ~3;
  let crc = ~previous;
  let at = 0;
  for (; at < whole; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = fourth[crc & 0xff]! ^ third[(crc >>> 8) & 0xff]! ^ second[(crc >>> 16) & 0xff]! ^ first[crc >>> 24]!;
  }
  for (; at < bytes.length; at++) crc = first[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Table n holds the effect of a byte that n further bytes follow. */
function makeTables(polynomial: number): Tables {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? polynomial ^ (crc >>> 1) : crc >>> 1;
    return crc;
  });
  const next = (table: Int32Array) => table.map((crc) => first[crc & 0xff]! ^ (crc >>> 8));
  const [second, third] = [next(first), next(next(first))];
  return [first, second, third, next(third)];
}
