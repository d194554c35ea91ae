/** Repairs that ftfy 6.3.1 makes of the same texts, and texts that it leaves alone. */
import { describe, expect, it } from 'vitest';
import { repairText } from './repair-text.ts';

describe('repairText', () => {
  it.each([
    ['it\u00e2\u20ac\u2122s', "it's"],
    ['\u00e2\u20ac\u0153quoted\u00e2\u20ac\u009d', '"quoted"'],
    ['don\u00e2\u0080\u0099t', "don't"],
    ['dash \u00e2\u20ac\u201d here', 'dash \u2014 here'],
    ['5\u00e2\u201a\u00ac', '5\u20ac'],
    ['\u00e2\u0153\u201d done', '\u2714 done'],
    ['\u00e3\u0083\u008f', '\u30cf'],
    ['\u00f0\u009f\u0098\u0080 face', '\u{1f600} face'],
    ['\u00e6\u0097\u00a5\u00e6\u009c\u00ac', '\u65e5\u672c'],
    ['caf\u00e9 \u0085 x', 'caf\u00e9 \u2026 x'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['a\u0007b \ufeffc', 'ab c'],
    ['line\u2028end', 'line\nend'],
    ['\u2018caf\u0065\u0301\u2019 \ufb01ne \uff21', "'caf\u00e9' fine A"],
    ['&eacute; &lt;', '\u00e9 <'],
  ])('%j becomes %j', (damaged, repaired) => expect(repairText(damaged)).toBe(repaired));

  it.each([
    'sch\u00e3\u00b6n',
    'na\u00e3\u00afve',
    '\u00bd \u00e3\u00a9',
    'voil\u00e0, l\u00e9ger',
    '\u00e2\u20ac',
    '\u00e9\u20ac ok',
    '<html> &amp; stays',
    'x\u00b2 + y\u00b3',
  ])('%j stays', (text) => expect(repairText(text)).toBe(text));

  it('leaves an accent before quotation marks to be straightened', () => {
    expect(repairText('caf\u00e9\u201c\u201d')).toBe('caf\u00e9""');
  });
});
