/**
 * Reads a pickle, the format in which Python saves objects, without running anything: a pickle is a program for a stack
 * machine, and this machine can build containers, numbers, texts, and what the allow-list of globals.ts names. Opcodes:
 * Python's Lib/pickletools.py, protocols 2 to 5.
 */
import { messageOf, UserError } from '../../base/errors.ts';
import { damaged, oneLine } from './bytes.ts';
import type { Cursor } from './cursor.ts';
import { findGlobal, integer, pathOf } from './globals.ts';
import { Named, NumpyType, type Value } from './values.ts';

/** Resolves what the pickle says lies outside of it: storages. @throws Error with the reason when it cannot. */
export type PersistentLoad = (id: Value) => Value;

/**
 * Builds the value of the pickle at the cursor, which moves behind it.
 *
 * @throws UserError, one line: damage, or the name of a global that is not allowed. Nothing has been run then.
 */
export function unpickle(cursor: Cursor, persistentLoad: PersistentLoad): Value {
  const machine = new Machine(cursor, persistentLoad);
  try {
    for (let count = 0; count < MAX_OPERATIONS; count++) {
      const code = String.fromCharCode(cursor.byte());
      if (code === STOP) return machine.pop();
      const operation = OPERATIONS.get(code);
      if (!operation) throw new Error(`its pickle holds the unknown operation ${JSON.stringify(code)}`);
      operation(machine);
    }
    throw new Error('its pickle is too long');
  } catch (error) {
    throw error instanceof UserError ? error : damaged(cursor.label, messageOf(error));
  }
}

const STOP = '.';
/** A tensor takes about forty. Each may allocate a container, so their number bounds the memory. */
const MAX_OPERATIONS = 2 ** 22;
/** Longest integer, in bytes. */
const MAX_INTEGER_BYTES = 1024;

class Machine {
  private stack: Value[] = [];
  /** The stacks that the open marks have set aside. */
  private readonly marked: Value[][] = [];
  private readonly memo = new Map<number, Value>();
  /** Entries of lists that were given to builders, which may copy them: a list can be given any number of times. */
  private copied = 0;

  constructor(
    readonly cursor: Cursor,
    private readonly persistentLoad: PersistentLoad,
  ) {}

  push(value: Value): void {
    this.stack.push(value);
  }

  pop(): Value {
    const value = this.stack.pop();
    if (value === undefined) throw new Error('its pickle takes more than it has');
    return value;
  }

  top(): Value {
    const value = this.stack.at(-1);
    if (value === undefined) throw new Error('its pickle takes more than it has');
    return value;
  }

  mark(): void {
    this.marked.push(this.stack);
    this.stack = [];
  }

  /** Everything above the last mark. */
  popMark(): Value[] {
    const items = this.stack;
    const below = this.marked.pop();
    if (!below) throw new Error('its pickle closes what it has not opened');
    this.stack = below;
    return items;
  }

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  memoize(): void {
    this.remember(this.memo.size);
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw new Error('its pickle refers to what it has not defined');
    this.push(value);
  }

  /** @throws UserError naming a global that is not allowed. */
  global(module: string, name: string): Named {
    const { label } = this.cursor;
    const found = findGlobal(module, name, label);
    if (found) return found;
    throw new UserError(
      `${label}: refused, and nothing was run: it names ${oneLine(pathOf(module, name))}, which no checkpoint of weights needs; use a file from a source you trust`,
    );
  }

  call(callable: Value, args: Value): Value {
    if (!(callable instanceof Named) || !Array.isArray(args))
      throw new Error('its pickle calls what is not a function');
    if (!callable.build) throw new Error(`its pickle calls ${callable.name}, which may only be named`);
    for (const arg of args) if (Array.isArray(arg)) this.copied += arg.length;
    if (this.copied > MAX_OPERATIONS) throw new Error('its pickle is too long');
    return callable.build(args);
  }

  persistent(id: Value): Value {
    return this.persistentLoad(id);
  }

  append(items: readonly Value[]): void {
    const target = this.top();
    if (!Array.isArray(target)) throw new Error('its pickle appends to what is not a list');
    for (const item of items) target.push(item);
  }

  add(items: readonly Value[]): void {
    const target = this.top();
    if (!(target instanceof Set)) throw new Error('its pickle adds to what is not a set');
    for (const item of items) target.add(item);
  }

  set(items: readonly Value[]): void {
    const target = this.top();
    if (!(target instanceof Map) || items.length % 2 !== 0) throw new Error('its pickle fills what is not a dict');
    for (let i = 0; i < items.length; i += 2) target.set(items[i]!, items[i + 1]!);
  }

  /** Attributes of an object: they mean nothing to plain values, except the byte order of a numpy type. */
  build(state: Value): void {
    const target = this.top();
    if (!(target instanceof NumpyType)) return;
    if (!Array.isArray(state) || !['<', '|', '='].includes(String(state[1])))
      throw new Error('a numpy number is big-endian');
  }
}

type Operation = (machine: Machine) => void;
const reading =
  (read: (cursor: Cursor) => Value): Operation =>
  (m) =>
    m.push(read(m.cursor));
const constant =
  (make: () => Value): Operation =>
  (m) =>
    m.push(make());
const tuple =
  (size: number): Operation =>
  (m) =>
    m.push(Array.from({ length: size }, () => m.pop()).reverse());
/** What `REDUCE` and `NEWOBJ` do: both call what lies below the arguments. */
const call: Operation = (m) => {
  const args = m.pop();
  m.push(m.call(m.pop(), args));
};

const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  // Frames and versions.
  ['\x80', (m) => m.cursor.byte()],
  ['\x95', (m) => m.cursor.take(8)],
  // Constants and empty containers.
  ['N', constant(() => null)],
  ['\x88', constant(() => true)],
  ['\x89', constant(() => false)],
  [')', constant(() => [])],
  [']', constant(() => [])],
  ['}', constant(() => new Map())],
  ['\x8f', constant(() => new Set())],
  // Numbers.
  ['K', reading((c) => c.unsigned(1))],
  ['M', reading((c) => c.unsigned(2))],
  ['J', reading((c) => c.unsigned(4) | 0)],
  ['G', reading(bigEndianDouble)],
  ['\x8a', reading((c) => signedInteger(c, c.unsigned(1)))],
  ['\x8b', reading((c) => signedInteger(c, c.unsigned(4)))],
  // Texts and bytes.
  ['X', reading((c) => c.text(c.unsigned(4)))],
  ['\x8c', reading((c) => c.text(c.unsigned(1)))],
  ['\x8d', reading((c) => c.text(c.unsigned(8)))],
  ['T', reading((c) => latin1(c, c.unsigned(4)))],
  ['U', reading((c) => latin1(c, c.unsigned(1)))],
  ['B', reading((c) => c.take(c.unsigned(4)).slice())],
  ['C', reading((c) => c.take(c.unsigned(1)).slice())],
  ['\x8e', reading((c) => c.take(c.unsigned(8)).slice())],
  // Containers filled from the stack.
  ['(', (m) => m.mark()],
  ['t', (m) => pushPopped(m, (items) => items)],
  ['l', (m) => pushPopped(m, (items) => items)],
  ['\x91', (m) => pushPopped(m, (items) => new Set(items))],
  ['\x85', tuple(1)],
  ['\x86', tuple(2)],
  ['\x87', tuple(3)],
  ['a', (m) => m.append([m.pop()])],
  ['e', (m) => m.append(m.popMark())],
  ['\x90', (m) => m.add(m.popMark())],
  ['s', (m) => m.set([m.pop(), m.pop()].reverse())],
  ['u', (m) => m.set(m.popMark())],
  // Stack and memory.
  ['0', (m) => m.pop()],
  ['1', (m) => m.popMark()],
  ['2', (m) => m.push(m.top())],
  ['q', (m) => m.remember(m.cursor.unsigned(1))],
  ['r', (m) => m.remember(m.cursor.unsigned(4))],
  ['\x94', (m) => m.memoize()],
  ['h', (m) => m.recall(m.cursor.unsigned(1))],
  ['j', (m) => m.recall(m.cursor.unsigned(4))],
  // Names, calls, and what lies outside of the pickle.
  ['c', (m) => m.push(m.global(m.cursor.line(), m.cursor.line()))],
  ['\x93', stackGlobal],
  ['i', (m) => m.push(m.call(m.global(m.cursor.line(), m.cursor.line()), m.popMark()))],
  ['R', call],
  ['\x81', call],
  ['b', (m) => m.build(m.pop())],
  ['Q', (m) => m.push(m.persistent(m.pop()))],
]);

function pushPopped(m: Machine, make: (items: Value[]) => Value): void {
  const items = m.popMark();
  m.push(make(items));
}

function stackGlobal(m: Machine): void {
  const [name, module] = [m.pop(), m.pop()];
  if (typeof name !== 'string' || typeof module !== 'string')
    throw new Error('its pickle names something without a name');
  m.push(m.global(module, name));
}

function bigEndianDouble(cursor: Cursor): number {
  const raw = cursor.take(8);
  return new DataView(raw.buffer, raw.byteOffset, 8).getFloat64(0, false);
}

const latin1 = (cursor: Cursor, bytes: number): string => Buffer.from(cursor.take(bytes)).toString('latin1');

/** Two's complement, little-endian. */
function signedInteger(cursor: Cursor, bytes: number): number | bigint {
  if (bytes > MAX_INTEGER_BYTES) throw new Error('a number in its pickle is too long');
  if (bytes === 0) return 0;
  const hex = Buffer.from(cursor.take(bytes)).reverse().toString('hex');
  return integer(BigInt.asIntN(8 * bytes, BigInt(`0x${hex}`)));
}
