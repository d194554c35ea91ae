/** JSON.parse that refuses repeated keys, of which JSON.parse silently keeps the last. */

/**
 * Parses `text`.
 *
 * @throws SyntaxError on anything but JSON, and on an object with two equal keys (compared after unescaping).
 */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  refuseRepeatedKeys(text);
  return value;
}

/**
 * Walks the brackets and strings of `text`, which is known to be valid JSON: there, a string before a colon is a key.
 */
function refuseRepeatedKeys(text: string): void {
  const openObjects: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') openObjects.push(new Set());
    else if (character === '}') openObjects.pop();
    else if (character === '"') {
      const end = endOfString(text, at);
      if (isFollowedByColon(text, end)) addKey(openObjects.at(-1)!, text.slice(at, end));
      at = end - 1;
    }
  }
}

function addKey(keys: Set<string>, literal: string): void {
  const key: string = JSON.parse(literal);
  if (keys.has(key)) throw new SyntaxError(`the key ${literal} is there twice`);
  keys.add(key);
}

/** The index after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function isFollowedByColon(text: string, start: number): boolean {
  let at = start;
  while (' \t\n\r'.includes(text[at] ?? ':')) at++;
  return text[at] === ':';
}
