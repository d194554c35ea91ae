/**
 * A checksum that travels inside a safetensors file: SHA-256 over the whole file, header and data, with the digits of
 * the checksum itself read as zeros. A file that has one is checked when it is opened; files of other programs have
 * none.
 */

import { createHash, type Hash } from 'node:crypto';
import { UserError } from '../base/errors.ts';

/** The metadata key. Writers fill in its value, whatever is given. */
export const SEAL = 'clipvq.sha256';
const BLANK = '0'.repeat(64);
const KEY = `${JSON.stringify(SEAL)}:"`;

type Texts = Readonly<Record<string, string>>;

/** Metadata of a file that is to carry its checksum. */
export const sealed = (metadata: Texts): Texts => ({ ...metadata, [SEAL]: BLANK });

/** Metadata with the place of its checksum empty, if there is one. */
export const blankSeal = (metadata: Texts): Texts => (SEAL in metadata ? sealed(metadata) : metadata);

/** Where the digits stand in the bytes of a file's front (length and header), or undefined if there are none. */
export function sealPlace(front: Uint8Array): number | undefined {
  const text = Buffer.from(front.buffer, front.byteOffset, front.byteLength);
  const key = text.indexOf(KEY);
  if (key < 0) return undefined;
  return key + KEY.length;
}

/** Adds up the checksum of a file whose pieces come one after another, the front first and with the digits empty. */
export class SealSum {
  private readonly hash: Hash = createHash('sha256');

  add(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }

  digits(): Uint8Array {
    return Buffer.from(this.hash.digest('hex'));
  }
}

/**
 * Check a file against the checksum it carries; one without any passes.
 * @param front length and header.
 * @param data the rest, in pieces.
 * @throws UserError if they do not belong together.
 */
export function checkSeal(front: Uint8Array, data: Iterable<Uint8Array>, label: string): void {
  const at = sealPlace(front);
  if (at === undefined) return;
  const blank = front.slice();
  blank.set(Buffer.from(BLANK).subarray(0, front.length - at), at);
  const sum = new SealSum();
  sum.add(blank);
  for (const piece of data) sum.add(piece);
  if (at + BLANK.length > front.length || !Buffer.from(sum.digits()).equals(front.subarray(at, at + BLANK.length)))
    throw new UserError(
      `${label}: its checksum does not belong to its bytes: the file is damaged; restore it from a copy or make it again`,
    );
}
