import { cut } from './text.ts';

/** The first of the texts that has at most so many characters; when none does, the last one, cut. */
export function firstFitting(texts: readonly string[], characters: number): string {
  return texts.find((text) => text.length <= characters) ?? cut(texts.at(-1) ?? '', characters);
}
