/** Text as vector paths, in the Inter that ships with the package: a fresh machine may have no fonts at all. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Font, Glyph, default as OpenType } from 'opentype.js';

export type Weight = 400 | 500 | 600;

export interface TextStyle {
  readonly weight: Weight;
  /** Em size in pixels. */
  readonly size: number;
  readonly color: string;
}

/** Inter is split by script; a character is taken from the first part that has it. */
const scripts = ['latin', 'latin-ext', 'cyrillic', 'greek', 'vietnamese'] as const;
const require = createRequire(import.meta.url);
const fonts = new Map<string, Font>();

/** Width of one line in pixels. */
export function textWidth(text: string, style: TextStyle): number {
  return layOut(text, style).width;
}

/** One line as an SVG path element, its baseline starting at (x, y). */
export function textPath(text: string, x: number, y: number, style: TextStyle): string {
  const outlines = layOut(text, style).glyphs.map(({ glyph, offset }) =>
    glyph.getPath(x + offset, y, style.size).toPathData(2),
  );
  return `<path d="${outlines.join('')}" fill="${style.color}"/>`;
}

/**
 * Breaks text at spaces into lines of at most `width` pixels, and inside words that are longer than a line. What does
 * not fit into `maxLines` ends in an ellipsis.
 */
export function wrapText(text: string, width: number, style: TextStyle, maxLines: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (textWidth(longer, style) <= width) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = word;
    while (textWidth(line, style) > width && line.length > 1) {
      const head = fitting(line, width, style);
      lines.push(head);
      line = line.slice(head.length);
    }
  }
  if (line !== '') lines.push(line);
  if (lines.length <= maxLines) return lines;
  const last = fitting(lines[maxLines - 1]!, width - textWidth('…', style), style);
  return [...lines.slice(0, maxLines - 1), `${last.trimEnd()}…`];
}

/** The longest beginning that fits, never less than one character. */
function fitting(text: string, width: number, style: TextStyle): string {
  const characters = [...text];
  while (characters.length > 1 && textWidth(characters.join(''), style) > width) characters.pop();
  return characters.join('');
}

interface PlacedGlyph {
  readonly glyph: Glyph;
  readonly offset: number;
}

/**
 * Advance widths only: opentype.js reads neither Inter's kerning (a GPOS extension) nor its contextual substitutions.
 */
function layOut(text: string, { weight, size }: TextStyle): { glyphs: PlacedGlyph[]; width: number } {
  const glyphs: PlacedGlyph[] = [];
  let width = 0;
  for (const character of text) {
    const font = fontFor(character, weight);
    const glyph = font.charToGlyph(character);
    glyphs.push({ glyph, offset: width });
    width += ((glyph.advanceWidth ?? 0) * size) / font.unitsPerEm;
  }
  return { glyphs, width };
}

function fontFor(character: string, weight: Weight): Font {
  for (const script of scripts) {
    const font = loadFont(script, weight);
    if (font.charToGlyphIndex(character) > 0) return font;
  }
  return loadFont('latin', weight);
}

function loadFont(script: (typeof scripts)[number], weight: Weight): Font {
  const file = `@fontsource/inter/files/inter-${script}-${weight}-normal.woff`;
  let font = fonts.get(file);
  if (!font) {
    // Loaded with the first letter.
    const opentype = require('opentype.js') as typeof OpenType;
    font = opentype.parse(new Uint8Array(readFileSync(require.resolve(file))).buffer);
    fonts.set(file, font);
  }
  return font;
}
