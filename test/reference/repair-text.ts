/**
 * Repairs of damaged text that the official program leaves to ftfy, as far as they are well defined: escapes, garbled
 * UTF-8, control characters, ligatures, widths and quotes. They come before a text is tokenized for the reference's
 * CLIP.
 */

import { unescapeHtml } from './html-entities.ts';

/**
 * Characters at bytes 0x80 to 0x9F of Windows-1252; the five bytes without one stand for themselves. Written out: some
 * versions of Node decode this encoding as Latin-1.
 */
const WINDOWS_1252 = Array.from('€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ');
const windowsBytes = new Map(WINDOWS_1252.map((character, i) => [character, 0x80 + i]));

/**
 * UTF-8 of three or four bytes as Windows-1252 or Latin-1 show it. Case is gone, and with it the leads of two bytes.
 */
const rest = `[\\u0080-\\u00bf${WINDOWS_1252.join('')}]`;
const garbled = new RegExp(`[\\u00e0-\\u00ef]${rest}{2}|[\\u00f0-\\u00f4]${rest}{3}`, 'gu');
/** Control characters that no text has: where one of them is part of it, a sequence is garbled for sure. */
const control = /[\u0080-\u009f]/u;
/**
 * What is garbled again and again and does not look like text while it is: punctuation, the euro, arrows, signs,
 * dingbats, kana.
 */
const likely = /[\u2010-\u206f\u20ac\u2190-\u227f\u2600-\u263f\u2700-\u277f\u3040-\u307f\u30c0-\u30ff]/u;

/**
 * Text in lower case without its damage. Undoes references to characters where there are no tags, removes terminal
 * colours, decodes UTF-8 that was read as Windows-1252 ("itâ€™s"), straightens quotes, takes ligatures apart, brings
 * wide letters to their usual width, removes what cannot be seen, and composes accents.
 */
export function repairText(text: string): string {
  const unescaped = text.includes('<') ? text : unescapeHtml(text);
  return unescaped
    .replace(terminalEscape, '')
    .replace(garbled, ungarbled)
    .replace(/[\u0080-\u009f]/gu, (character) => WINDOWS_1252[character.charCodeAt(0) - 0x80]!)
    .replace(/[\ufb00-\ufb06\uff01-\uff5e\uffe0-\uffe6\u3000]/gu, (character) => character.normalize('NFKC'))
    .replace(/[\u02bc\u2018-\u201b]/gu, "'")
    .replace(/[\u201c-\u201f]/gu, '"')
    .replace(/[\u2028\u2029]/gu, '\n')
    .replace(invisible, '')
    .normalize('NFC');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
const terminalEscape = /\u001b\[[0-9;]*[a-z]/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same
const invisible = /[\u0000-\u0008\u000b\u000e-\u001f\u007f\u206a-\u206f\ufeff\ufff9-\ufffc]/gu;

/** The character that a sequence stands for, if it is one and the sequence is not better left alone. */
function ungarbled(sequence: string): string {
  const bytes = Uint8Array.from(sequence, (character) => windowsBytes.get(character) ?? character.codePointAt(0)!);
  const decoded = new TextDecoder().decode(bytes);
  if ([...decoded].length !== 1 || decoded === '\ufffd') return sequence;
  return control.test(sequence) || likely.test(decoded) ? decoded : sequence;
}
