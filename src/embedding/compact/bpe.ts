/**
 * Byte-level byte-pair encoding in CLIP's style (Sennrich et al., 1508.07909; Radford et al., 2103.00020): merges are
 * learned from a corpus, every text can be encoded, and the last symbol of a word carries `</w>`.
 */

/** Marks the last symbol of a word, so that "hat" at the end of a word and "hat" inside "hatch" differ. */
export const END_OF_WORD = '</w>';
/** The first token of every encoded text. */
export const START = '<|startoftext|>';
/** The last token of every encoded text. */
export const END = '<|endoftext|>';
/** Padding is a token of its own, so that ids alone show where a text ends. */
export const PAD = '<|pad|>';

/** CLIP's words: English contractions, runs of letters, single digits, runs of anything else that is not space. */
export const WORD_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

/** Two symbols that become one. */
export type Merge = readonly [left: string, right: string];

const words = new RegExp(WORD_PATTERN, 'gu');
const specials = /(<\|startoftext\|>|<\|endoftext\|>|<\|pad\|>)/;

/**
 * One printable character for each byte: Latin-1 stands for itself where it is visible, the others move to 256 and up.
 */
const alphabet: readonly string[] = (() => {
  const visible = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let moved = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(visible(byte) ? byte : moved++));
})();

/** Text without the differences CLIP ignores: canonical composition, single spaces, lower case. */
const normalized = (text: string): string => text.normalize('NFC').replace(/\s+/gu, ' ').toLowerCase();

/** The words of a text, each as the symbols of its UTF-8 bytes. */
function symbolsOf(text: string): string[][] {
  return (normalized(text).match(words) ?? []).map((word) => {
    const symbols = Array.from(new TextEncoder().encode(word), (byte) => alphabet[byte]!);
    symbols[symbols.length - 1] += END_OF_WORD;
    return symbols;
  });
}

/** An encoding with learned merges. */
export class Bpe {
  /**
   * The text of every token; its index is its id. Bytes, bytes that end a word, one token a merge, then the specials.
   */
  readonly tokens: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #ranks: ReadonlyMap<string, number>;
  readonly #known = new Map<string, readonly number[]>();

  constructor(readonly merges: readonly Merge[]) {
    const ends = alphabet.map((symbol) => symbol + END_OF_WORD);
    this.tokens = [...alphabet, ...ends, ...merges.map((pair) => pair.join('')), START, END, PAD];
    this.#ids = new Map(this.tokens.map((token, id) => [token, id]));
    this.#ranks = new Map(merges.map((pair, rank) => [pair.join(' '), rank]));
  }

  /** The id of a token. Throws a RangeError when there is none of that text. */
  id(token: string): number {
    const id = this.#ids.get(token);
    if (id === undefined) throw new RangeError(`there is no token ${token}`);
    return id;
  }

  get pad(): number {
    return this.id(PAD);
  }

  /**
   * The ids of a text between the start and the end token. A special token written out in the text counts as that
   * token.
   */
  encode(text: string): number[] {
    const inner = text.split(specials).flatMap((part, i) => (i % 2 === 1 ? [this.id(part)] : this.#encodePlain(part)));
    return [this.id(START), ...inner, this.id(END)];
  }

  /**
   * Numbers the tokens that occur in texts, in order of id: place k of the result belongs to token k. The tokens that
   * do not occur, among them padding and what only unknown words are made of, share the next number, the count of those
   * that do.
   */
  rowsOf(texts: Iterable<string>): { readonly rows: Int32Array; readonly known: number } {
    const seen = new Set<number>();
    for (const text of texts) for (const id of this.encode(text)) seen.add(id);
    const rows = new Int32Array(this.tokens.length).fill(seen.size);
    for (const [row, id] of [...seen].sort((a, b) => a - b).entries()) rows[id] = row;
    return { rows, known: seen.size };
  }

  #encodePlain(text: string): number[] {
    return symbolsOf(text).flatMap((symbols) => {
      const word = symbols.join('');
      const ids = this.#known.get(word) ?? this.#merged(symbols).map((token) => this.id(token));
      this.#known.set(word, ids);
      return ids;
    });
  }

  /** Join the neighbours whose merge was learned first, until no neighbours are left that were ever merged. */
  #merged(symbols: readonly string[]): readonly string[] {
    let parts = symbols;
    for (;;) {
      let best: number | undefined;
      for (let i = 0; i + 1 < parts.length; i++) {
        const rank = this.#ranks.get(`${parts[i]} ${parts[i + 1]}`);
        if (rank !== undefined && (best === undefined || rank < best)) best = rank;
      }
      if (best === undefined) return parts;
      parts = join(parts, this.merges[best]!);
    }
  }
}

/**
 * Learn merges from texts until the vocabulary holds `size` tokens or no pair of symbols occurs twice: again and again
 * the most frequent pair becomes a symbol (of equals, the first by code units). The result depends on the texts alone.
 */
export function trainBpe(texts: Iterable<string>, size: number): Bpe {
  const counts = new Map<string, { parts: readonly string[]; count: number }>();
  for (const text of texts) {
    for (const parts of symbolsOf(text)) {
      const word = parts.join('');
      const entry = counts.get(word) ?? { parts, count: 0 };
      entry.count++;
      counts.set(word, entry);
    }
  }
  const corpus = [...counts.values()];
  const merges: Merge[] = [];
  const room = size - new Bpe([]).tokens.length;
  while (merges.length < room) {
    const pair = mostFrequent(corpus);
    if (!pair) break;
    merges.push(pair);
    for (const entry of corpus) entry.parts = join(entry.parts, pair);
  }
  return new Bpe(merges);
}

function mostFrequent(
  corpus: readonly { readonly parts: readonly string[]; readonly count: number }[],
): Merge | undefined {
  const counts = new Map<string, number>();
  for (const { parts, count } of corpus) {
    for (let i = 0; i + 1 < parts.length; i++) {
      const pair = `${parts[i]} ${parts[i + 1]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  }
  let best = '';
  let most = 1;
  for (const [pair, count] of counts) {
    if (count > most || (count === most && count > 1 && pair < best)) [best, most] = [pair, count];
  }
  const [left, right] = best.split(' ');
  return left !== undefined && right !== undefined ? [left, right] : undefined;
}

/** Every occurrence of the pair, from the left, becomes one symbol. */
function join(parts: readonly string[], [left, right]: Merge): readonly string[] {
  const out: string[] = [];
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] === left && parts[i + 1] === right) {
      out.push(left + right);
      i++;
    } else out.push(parts[i]!);
  }
  return out;
}
