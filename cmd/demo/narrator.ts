/** What the demo says: short lines on stderr, so that stdout holds what kubectl prints and nothing else. */
import type { Writable } from 'node:stream';

/** Says things to the person who watches. */
export interface Narrator {
  /** What happens now. */
  step(text: string): void;
  /** What it means, or what came of it; below the step. */
  note(text: string): void;
  /** Progress of something slow. */
  progress(text: string): void;
}

/** Bold steps on a terminal, unless NO_COLOR is set. */
export function createNarrator(err: Writable, useColor: boolean): Narrator {
  return {
    step: (text) => void err.write(useColor ? `\n\u001b[1m${text}\u001b[0m\n` : `\n${text}\n`),
    note: (text) => void err.write(`  ${text}\n`),
    progress: (text) => void err.write(useColor ? `\u001b[2m${text}\u001b[0m\n` : `${text}\n`),
  };
}
