/**
 * The part of YAML 1.2 that a recipe needs: mappings by indentation, lists in brackets or after dashes, plain and
 * quoted words, numbers, true and false, comments. Whatever is read means the same in every YAML reader; the rest
 * (anchors, tags, block texts, mappings in braces) is refused by its line.
 */

import { UserError } from '../base/errors.ts';

export type YamlValue = string | number | boolean | readonly YamlValue[] | { readonly [key: string]: YamlValue };

interface Line {
  readonly number: number;
  readonly indent: number;
  readonly text: string;
}

const NUMBER = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/;
/**
 * What means something in YAML at the beginning of a plain word, or is read as another type by one reader or the other.
 */
const RESERVED = /^([&*!|>%@`{}[\],?]|[-:?](\s|$))/;
const OTHER_TYPES = /^(null|Null|NULL|~|True|TRUE|False|FALSE|0[xo][\da-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$/;
/** Deeper than any recipe. */
const MOST_DEPTH = 16;

/**
 * Read a document whose outermost value is a mapping. An empty document is an empty mapping.
 * @param where the file, for messages.
 * @throws UserError naming the line that is not part of this subset, or that repeats a key.
 */
export function parseYaml(text: string, where: string): Readonly<Record<string, YamlValue>> {
  return new Reader(linesOf(text, where), where).document();
}

/** The lines that say something, without comments. */
function linesOf(text: string, where: string): Line[] {
  const lines: Line[] = [];
  for (const [i, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const indent = raw.length - raw.replace(/^ +/, '').length;
    const line = withoutComment(raw.slice(indent)).trimEnd();
    if (line === '' || (line === '---' && indent === 0 && lines.length === 0)) continue;
    if (/^\s/.test(line)) throw new UserError(`${where}, line ${i + 1}: indent with spaces, not tabs`);
    lines.push({ number: i + 1, indent, text: line });
  }
  return lines;
}

/** A # begins a comment at the beginning of a line or after a space, but not within quotes. */
function withoutComment(text: string): string {
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const letter = text[i]!;
    if (quote !== '') {
      const isEscape = quote === '"' ? letter === '\\' : letter === "'" && text[i + 1] === "'";
      if (isEscape) i++;
      else if (letter === quote) quote = '';
    } else if (letter === '#' && (i === 0 || /\s/.test(text[i - 1]!))) return text.slice(0, i);
    else if ((letter === '"' || letter === "'") && (i === 0 || /[\s[,:]/.test(text[i - 1]!))) quote = letter;
  }
  return text;
}

class Reader {
  private at = 0;

  constructor(
    private readonly lines: readonly Line[],
    private readonly where: string,
  ) {}

  document(): Readonly<Record<string, YamlValue>> {
    const first = this.lines[0];
    if (first === undefined) return {};
    const value = this.mapping(first.indent, 0);
    const left = this.lines[this.at];
    if (left !== undefined) throw this.fault(left, 'is indented unlike the lines above it');
    return value;
  }

  private mapping(indent: number, depth: number): Record<string, YamlValue> {
    const entries = new Map<string, YamlValue>();
    if (depth > MOST_DEPTH) throw this.fault(this.lines[this.at]!, 'is nested too deeply');
    for (let line = this.lines[this.at]; line?.indent === indent; line = this.lines[this.at]) {
      const [, quoted, plain, rest] =
        /^(?:("(?:[^"\\]|\\.)*"|'[^']*')|([^\s"'[\]{},&*!|>%@`#-][^:#]*?))\s*:(?:\s+(.*))?$/.exec(line.text) ?? [];
      const name = quoted ?? plain;
      if (name === undefined) throw this.fault(line, 'is no "name: value"');
      const key = quoted === undefined ? name : String(this.scalar(quoted, line));
      if (entries.has(key)) throw this.fault(line, `names ${key} a second time`);
      this.at++;
      entries.set(key, rest === undefined || rest === '' ? this.block(line, indent, depth) : this.inline(rest, line));
    }
    return Object.fromEntries(entries);
  }

  /** What follows on the lines below a key. */
  private block(parent: Line, indent: number, depth: number): YamlValue {
    const next = this.lines[this.at];
    const isItem = next !== undefined && /^-(\s|$)/.test(next.text);
    if (next === undefined || next.indent < indent || (next.indent === indent && !isItem))
      throw this.fault(parent, 'has no value (a # begins a comment: write "#ffffff" in quotes)');
    return isItem ? this.list(next.indent) : this.mapping(next.indent, depth + 1);
  }

  private list(indent: number): YamlValue[] {
    const items: YamlValue[] = [];
    for (let line = this.lines[this.at]; line?.indent === indent; line = this.lines[this.at]) {
      const item = /^-\s+(.+)$/.exec(line.text)?.[1];
      if (item === undefined) {
        if (line.text.startsWith('-')) throw this.fault(line, 'is an item without a value');
        break;
      }
      items.push(this.inline(item, line));
      this.at++;
    }
    return items;
  }

  /** A value on one line. */
  private inline(text: string, line: Line): YamlValue {
    if (!text.startsWith('[')) return this.scalar(text, line);
    const [items, end] = this.flow(text, 1, line, 0);
    if (text.slice(end).trim() !== '') throw this.fault(line, 'goes on after its list');
    return items;
  }

  /** The items of a list in brackets from `start`, and where it ends. */
  private flow(text: string, start: number, line: Line, depth: number): [YamlValue[], number] {
    const items: YamlValue[] = [];
    const skip = (from: number) => from + (text.slice(from).length - text.slice(from).trimStart().length);
    let at = skip(start);
    if (depth > MOST_DEPTH) throw this.fault(line, 'is nested too deeply');
    while (text[at] !== ']') {
      if (text[at] === '[') {
        const [inner, end] = this.flow(text, at + 1, line, depth + 1);
        items.push(inner);
        at = skip(end);
      } else {
        const item = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s,"'[\]{}][^,[\]{}]*)/.exec(text.slice(at))?.[0];
        if (item === undefined) throw this.fault(line, 'holds no list such as [1, 2], which ends on its line');
        items.push(this.scalar(item.trimEnd(), line));
        at = skip(at + item.length);
      }
      if (text[at] === ',') at = skip(at + 1);
      else if (text[at] !== ']') throw this.fault(line, 'holds no list such as [1, 2], which ends on its line');
    }
    return [items, at + 1];
  }

  private scalar(text: string, line: Line): string | number | boolean {
    if (text.startsWith('"')) {
      try {
        return String(JSON.parse(text));
      } catch {
        throw this.fault(line, 'holds a text in double quotes that is not written as in JSON');
      }
    }
    if (text.startsWith("'")) {
      const inner = /^'((?:[^']|'')*)'$/.exec(text)?.[1];
      if (inner === undefined) throw this.fault(line, 'holds a text whose single quotes do not end');
      return inner.replaceAll("''", "'");
    }
    if (text === 'true' || text === 'false') return text === 'true';
    if (/^[-+]?0\d+$/.test(text))
      throw this.fault(
        line,
        `holds ${text.slice(0, 40)}, which is octal in YAML 1.1 and decimal in 1.2: write ${Number(text)}`,
      );
    if (NUMBER.test(text) && Number.isFinite(Number(text))) return Number(text);
    if (RESERVED.test(text) || OTHER_TYPES.test(text) || /:(\s|$)/.test(text))
      throw this.fault(line, `holds ${text.slice(0, 40)}, which a recipe does not use: put a text in quotes`);
    return text;
  }

  private fault({ number, text }: Line, what: string): UserError {
    const shown = text.replace(/\p{C}/gu, '?').slice(0, 60);
    return new UserError(`${this.where}, line ${number}: "${shown}" ${what}`);
  }
}

/** A value on one line, as `parseYaml` and every other YAML reader take it. */
export function yamlText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => yamlText(item)).join(', ')}]`;
  if (typeof value !== 'string') return numberText(value);
  return /^[a-zA-Z][\w./-]*$/.test(value) && !OTHER_WORDS.test(value) ? value : JSON.stringify(value);
}

/** Words that YAML 1.1 takes for something else, in any case. */
const OTHER_WORDS = /^(null|true|false|yes|no|on|off|y|n)$/i;

/** YAML 1.1 knows 1.0e-6 as a number, and 1e-6 as a text. */
function numberText(value: unknown): string {
  const text = String(value);
  return typeof value === 'number' ? text.replace(/^(-?\d+)e/, '$1.0e') : text;
}
