import { cut } from './text.ts';

/**
 * How long a summary should be. The event allows more (48), but at this width the table of `kubectl get` stays under
 * 140 columns.
 */
const comfortableCharacters = 36;

/** The first of the texts that fits into the table of `kubectl get`; when none does, the last one, cut. */
export function firstFitting(texts: readonly string[]): string {
  return texts.find((text) => text.length <= comfortableCharacters) ?? cut(texts.at(-1) ?? '', comfortableCharacters);
}
