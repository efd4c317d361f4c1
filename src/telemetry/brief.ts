/** Text of others in a log line. */
import { clean, cut } from '../lib/text.ts';

const maximumMessageCharacters = 300;

/** Cleaned and short. */
export function brief(text: string): string {
  return cut(clean(text), maximumMessageCharacters);
}
