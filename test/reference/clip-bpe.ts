/**
 * The tokenizer of OpenAI's CLIP from its published merges file: text cleaning, byte-pair encoding, and the padded rows
 * its text transformer reads. Our compact CLIP has a vocabulary of its own; this one is for models trained elsewhere.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { UserError } from '../../src/base/errors.ts';
import { Bpe, END, END_OF_WORD, type Merge, START, WORD_PATTERN } from '../../src/embedding/compact/bpe.ts';
import { fileError } from '../../src/files/file-errors.ts';
import { unescapeHtml } from './html-entities.ts';
import { repairText } from './repair-text.ts';

/** The size of CLIP's vocabulary: 256 bytes, 256 bytes that end a word, the merges, and two specials. */
const VOCABULARY = 49_408;
const MERGES = VOCABULARY - 2 * 256 - 2;

const words = new RegExp(`<\\|startoftext\\|>|<\\|endoftext\\|>|${WORD_PATTERN}`, 'giu');
/** White space, with the next-line character, which Python counts too. */
const space = /[\s\u0085]+/gu;

export class ClipBpe {
  readonly #bpe: Bpe;
  /** Tokens by id, and back. Bytes come in the order of their printable stand-ins. */
  readonly #tokens: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  constructor(merges: readonly Merge[]) {
    this.#bpe = new Bpe(merges);
    const bytes = this.#bpe.tokens.slice(0, 256).sort();
    const joined = merges.map((pair) => pair.join(''));
    this.#tokens = [...bytes, ...bytes.map((byte) => byte + END_OF_WORD), ...joined, START, END];
    this.#ids = new Map(this.#tokens.map((token, id) => [token, id]));
  }

  /**
   * Reads the published `bpe_simple_vocab_16e6.txt.gz` (or its unpacked text).
   * @throws UserError when the file is missing, unreadable, or not it.
   */
  static read(path: string): ClipBpe {
    const merges = readText(path)
      .split('\n')
      .slice(1, MERGES + 1)
      .map((line) => line.split(' '));
    if (merges.length < MERGES || merges.some((pair) => pair.length !== 2)) throw notMerges(path);
    return new ClipBpe(merges as [string, string][]);
  }

  get start(): number {
    return this.#ids.get(START)!;
  }

  get end(): number {
    return this.#ids.get(END)!;
  }

  /** The ids of a text, without start and end token. A special token written out in the text counts as that token. */
  encode(text: string): number[] {
    return (cleaned(text).match(words) ?? []).flatMap((word) => {
      if (word === START || word === END) return [this.#ids.get(word)!];
      return this.#bpe
        .encode(word)
        .slice(1, -1)
        .map((id) => this.#ids.get(this.#bpe.tokens[id]!)!);
    });
  }

  /**
   * Rows [texts, context] of start, ids, end, zeros. A text that is too long loses its tail, as officially: its last
   * token becomes the end token.
   */
  rows(texts: readonly string[], context: number): Int32Array {
    const rows = new Int32Array(texts.length * context);
    texts.forEach((text, i) => {
      const ids = [this.start, ...this.encode(text), this.end];
      if (ids.length > context) ids.splice(context - 1, ids.length, this.end);
      rows.set(ids, i * context);
    });
    return rows;
  }

  /** The text of ids, words apart by single spaces; bytes that are no UTF-8 become U+FFFD. */
  decode(ids: readonly number[]): string {
    const stands = new Map(this.#bpe.tokens.slice(0, 256).map((symbol, byte) => [symbol, byte]));
    const text = ids.map((id) => this.#tokens[id] ?? '').join('');
    const bytes = Uint8Array.from(text, (symbol) => stands.get(symbol)!);
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).replaceAll(END_OF_WORD, ' ');
  }
}

function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw fileError('read', path, error);
  }
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.toString('utf8');
  try {
    return gunzipSync(bytes).toString('utf8');
  } catch {
    throw notMerges(path);
  }
}

const notMerges = (path: string): UserError =>
  new UserError(`${path} is not CLIP's merges file, or damaged: give the published bpe_simple_vocab_16e6.txt.gz`);

/**
 * Lower case, repaired (`repairText`), HTML references undone (twice: captions are escaped twice), single spaces.
 */
export function cleaned(text: string): string {
  const repaired = repairText(text.toLowerCase());
  return unescapeHtml(unescapeHtml(repaired)).replace(space, ' ').replace(/^ | $/g, '').toLowerCase();
}
