/**
 * Patterns with `*` (any run of characters, also none, also `/`) and `?` (one character); everything else stands for
 * itself, case included. No other magic, so that what a pattern means can be said in one line.
 *
 * The pieces between stars are looked for from left to right and never again: at most (text × longest piece) steps, so
 * time is linear in the text whatever the pattern.
 */

/** What a matcher reads of a text; a string is one. */
export type TextToMatch = Pick<string, 'length' | 'charCodeAt'>;

/** Longer texts are judged by their first 4096 characters. */
export const maximumMatchedCharacters = 4096;

const question = 0x3f;

/** True when the pattern has no magic and can be compared. */
export function isLiteral(pattern: string): boolean {
  return !/[*?]/.test(pattern);
}

/** Compiles a pattern to a function that says whether a whole text is like it. Never throws. */
export function compileGlob(pattern: string): (text: TextToMatch) => boolean {
  const pieces = pattern.split('*');
  const [first = ''] = pieces;
  const last = pieces.at(-1) ?? '';
  if (pieces.length === 1) return (text) => lengthOf(text) === first.length && isAt(text, first, 0);
  const inner = pieces.slice(1, -1).filter((piece) => piece !== '');
  return (text) => {
    const end = lengthOf(text) - last.length;
    if (end < first.length || !isAt(text, first, 0) || !isAt(text, last, end)) return false;
    let at = first.length;
    for (const piece of inner) {
      at = behind(text, piece, at, end);
      if (at === -1) return false;
    }
    return true;
  };
}

function lengthOf(text: TextToMatch): number {
  return Math.min(text.length, maximumMatchedCharacters);
}

/** Just behind the first place of the piece at or after `from` that ends by `end`; -1 when there is none. */
function behind(text: TextToMatch, piece: string, from: number, end: number): number {
  for (let at = from; at + piece.length <= end; at += 1) if (isAt(text, piece, at)) return at + piece.length;
  return -1;
}

function isAt(text: TextToMatch, piece: string, at: number): boolean {
  for (let index = 0; index < piece.length; index += 1) {
    const wanted = piece.charCodeAt(index);
    if (wanted !== question && wanted !== text.charCodeAt(at + index)) return false;
  }
  return true;
}
