/** Cleaning and cutting of text that comes from reports: every character of it is hostile. */
import { maskSecrets } from './secrets.ts';

/**
 * What must not reach a terminal or an event: C0 and C1 controls, and what Unicode says to show nothing for: bidirectional
 * overrides and isolates, zero-width and invisible characters, the byte order mark, tags. U+FFF0 to U+FFFF are never text.
 */
const invisible = /[\p{Cc}\p{Default_Ignorable_Code_Point}\ufff0-\uffff]/gu;
/** Line ends and tabs become one space, before they would go as controls. */
const whitespace = /[^\S\ufeff]+/g;
const spaces = / {2,}/g;
/** Printable ASCII without a double blank needs no cleaning: the usual case, decided in one pass. */
const plain = /^(?:[!-~]| (?! ))*$/;

/** Text longer than this is cut before any pattern looks at it. */
const maximumCleanedCharacters = 4096;

/** Marks the place where text was cut. */
export const cutMark = '…';

/** Removes hostile characters, folds white space, masks known secret shapes. At most 4096 characters are looked at. */
export function clean(text: string): string {
  const bounded =
    text.length > maximumCleanedCharacters ? `${slice(text, maximumCleanedCharacters - 1)}${cutMark}` : text;
  if (plain.test(bounded)) return maskSecrets(bounded.trim());
  const visible = bounded.toWellFormed().replace(whitespace, ' ').replace(invisible, '').replace(spaces, ' ').trim();
  return maskSecrets(visible);
}

/** Cuts to at most `maximum` UTF-16 units (never more code points than that), marking the cut, never inside a character. */
export function cut(text: string, maximum: number): string {
  return text.length <= maximum ? text : `${slice(text, maximum - 1).trimEnd()}${cutMark}`;
}

function slice(text: string, end: number): string {
  const unit = text.charCodeAt(end - 1);
  const isHighSurrogate = unit >= 0xd800 && unit <= 0xdbff;
  return text.slice(0, isHighSurrogate ? end - 1 : end);
}

/** Cuts further until the text takes at most so many bytes as a JSON string, its quotes not counted. */
export function cutToBytes(text: string, maximum: number): string {
  // One UTF-16 unit is at most 3 bytes of UTF-8; in clean text JSON escapes quotes and backslashes only, to 2.
  if (text.length * 3 <= maximum) return text;
  const bytes = jsonBytes(text);
  if (bytes <= maximum) return text;
  let length = Math.min(text.length - 1, Math.floor((text.length * maximum) / bytes));
  while (length > 1 && jsonBytes(cut(text, length)) > maximum) length -= Math.ceil(length / 16);
  return cut(text, length);
}

/** How many bytes the text takes as a JSON string, its quotes not counted. */
function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}
