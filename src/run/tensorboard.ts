/**
 * Scalars as TensorBoard reads them: a TFRecord file of Event messages. A record is its length, the masked CRC-32C of
 * the length, the message, and the masked CRC-32C of the message.
 */

import fs from 'node:fs';
import { crc32c } from '../files/crc32.ts';
import { fileError } from '../files/file-errors.ts';
import { Message } from '../graph/protobuf.ts';

/** The folder of a run that `tensorboard --logdir` takes; the events of each stage lie in a folder of their own. */
export const EVENTS_FOLDER = 'tensorboard';

const VERSION = 'brain.Event:2';

/** Fields of the messages: tensorflow/core/util/event.proto and framework/summary.proto. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 } as const;
const SUMMARY = { value: 1 } as const;
const VALUE = { tag: 1, simpleValue: 2 } as const;

/**
 * The name of a file of events that was begun at `seconds` since 1970. TensorBoard reads the files of a folder in the
 * order of their names.
 */
export const eventsFile = (seconds: number): string =>
  `events.out.tfevents.${Math.floor(seconds).toString().padStart(10, '0')}.clipvq`;

/** The first record of a file, and those of scalars. `time` is in seconds since 1970. */
export const versionRecord = (time: number): Uint8Array =>
  record(new Message().double(EVENT.wallTime, time).string(EVENT.fileVersion, VERSION));

/** An event with numbers at a step, framed as event files hold it; `time` in seconds since 1970. */
export function scalarsRecord(time: number, step: number, scalars: Readonly<Record<string, number>>): Uint8Array {
  const summary = new Message();
  for (const [tag, value] of Object.entries(scalars))
    summary.message(SUMMARY.value, new Message().string(VALUE.tag, tag).float(VALUE.simpleValue, value));
  return record(new Message().double(EVENT.wallTime, time).int(EVENT.step, step).message(EVENT.summary, summary));
}

/** Add records to a file. @throws UserError if it cannot be written. */
export function appendRecords(file: string, records: readonly Uint8Array[]): void {
  try {
    fs.appendFileSync(file, Buffer.concat(records));
  } catch (error) {
    throw fileError('write', file, error);
  }
}

function record(message: Message): Uint8Array {
  const data = message.encode();
  const bytes = new Uint8Array(8 + 4 + data.length + 4);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, masked(crc32c(data)), true);
  return bytes;
}

/** A checksum that can itself stand in data that is checksummed: rotated right by 15, plus a constant. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
