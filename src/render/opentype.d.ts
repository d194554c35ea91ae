/** The part of opentype.js 2 that we use; the package ships no types of its own. */
declare module 'opentype.js' {
  export interface Path {
    /** SVG path data with that many decimals. */
    toPathData(decimalPlaces: number): string;
  }
  export interface Glyph {
    readonly advanceWidth?: number;
    /** The outline with its baseline origin at (x, y), y pointing down. */
    getPath(x: number, y: number, fontSize: number): Path;
  }
  export interface Font {
    readonly unitsPerEm: number;
    /** 0 when the font lacks the character. */
    charToGlyphIndex(character: string): number;
    charToGlyph(character: string): Glyph;
  }
  const opentype: { parse(font: ArrayBuffer): Font };
  export default opentype;
}
