/** A value as it appears in messages: on one line, of bounded length. */
export function shown(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? `a ${value.constructor?.name ?? 'object'}` : String(value);
  const line = text.replaceAll(/[\s\p{C}]+/gu, ' ');
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
}
